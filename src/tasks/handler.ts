/**
 * Handlers as classes: a `run` method, hooks as further methods, one instance for all runs of a task type. Counterpart:
 * celery/app/task.py Task with `base=` and class-based tasks (5.6.3), of which Celery makes one instance a process too.
 * Since runs of an instance overlap, what belongs to one run is not kept in a field: it is in `this.task` (its `local`).
 */
import { ConfigError } from '../errors.ts';
import { type Checkpoint } from './checkpoint.ts';
import { currentTask, type RetryOptions, type TaskContext, type TaskLogger } from './context.ts';
import { type Retry } from './predicates.ts';
import { type TaskRequest } from './request.ts';
import { type Resource } from './resources.ts';

/** What a class needs to be a handler: any class, {@link TaskHandler} need not be its parent. */
export interface Runnable {
  run(...args: never[]): unknown;
}

/** A class of handlers; it is constructed without arguments, so give an instance where it needs some. */
export type RunnableClass = new () => Runnable;

/**
 * A parent for handler classes which want Python's `self.request`, `self.retry()` and so on as `this.request`,
 * `this.retry()`. Each asks for the task that runs here, so they work in `run`, in hooks, and in all that these call.
 */
export abstract class TaskHandler<App = unknown> {
  abstract run(...args: never[]): unknown;

  /** The running task. @throws IllegalStateError outside of a run. */
  get task(): TaskContext<App> {
    return currentTask() as TaskContext<App>;
  }

  get request(): TaskRequest {
    return this.task.request;
  }

  get name(): string {
    return this.task.name;
  }

  get app(): App {
    return this.task.app;
  }

  get signal(): AbortSignal {
    return this.task.signal;
  }

  get logger(): TaskLogger {
    return this.task.logger;
  }

  get checkpoint(): Checkpoint {
    return this.task.checkpoint;
  }

  /** `throw this.retry({ countdown: 5 })`; see {@link TaskContext.retry}. */
  retry(options?: RetryOptions): Retry {
    return this.task.retry(options);
  }

  updateState(update: Parameters<TaskContext['updateState']>[0]): Promise<void> {
    return this.task.updateState(update);
  }

  progress(...progress: Parameters<TaskContext['progress']>): Promise<void> {
    return this.task.progress(...progress);
  }

  resource<Handle>(resource: Resource<Handle, TaskContext<App>>): Promise<Handle> {
    return this.task.resource(resource);
  }

  sendEvent(...event: Parameters<TaskContext['sendEvent']>): Promise<void> {
    return this.task.sendEvent(...event);
  }
}

/** The object whose `run` is the handler; null when the handler is a function. @throws ConfigError for a class that can't be used. */
export function instanceOf(taskName: string, handler: unknown): Runnable | null {
  if (typeof handler === 'object') return handler !== null && hasRun(handler) ? handler : null;
  if (typeof handler !== 'function' || !isClass(handler)) return null;
  if (!hasRun(handler.prototype)) {
    throw new ConfigError(`task "${taskName}": the class ${handler.name || 'given'} has no method run`);
  }
  try {
    return new (handler as RunnableClass)();
  } catch (cause) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new ConfigError(
      `task "${taskName}": the class ${handler.name || 'given'} cannot be constructed without arguments (${why}); give an instance of it`,
      { cause },
    );
  }
}

/** A class, or what a compiler for old engines made of one. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- any callable can be asked
function isClass(handler: Function): boolean {
  return hasRun(handler.prototype) || /^class\b/u.test(Function.prototype.toString.call(handler));
}

function hasRun(value: unknown): value is Runnable {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'run') === 'function';
}
