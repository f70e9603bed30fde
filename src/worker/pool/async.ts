/**
 * Tasks as promises in the worker's own event loop: cheap, made for tasks that wait. A task that computes holds up its
 * neighbours; the lease goes on meanwhile by its own thread. With a concurrency of 1 this is Celery's `solo`.
 *
 * An event loop cannot end a promise. At its hard time limit a task has failed and its slot is free; what its handler
 * still does is a runaway: it is told to stop by its signal, may store nothing any more, and is reported when it ends.
 */
import { SoftTimeLimitExceeded, TimeLimitExceeded } from '../../errors.ts';
import { sentences, type Logger } from '../../log.ts';
import { signals } from '../../signals/signals.ts';
import { TaskContext, type TaskRuntime } from '../../tasks/context.ts';
import { hasEnd, runEndHooks, type Ending, type HookFailure } from '../../tasks/hooks.ts';
import type { Outcome, RunOutcome } from '../../tasks/outcome.ts';
import type { TaskRequest } from '../../tasks/request.ts';
import { runTask } from '../../tasks/trace.ts';
import { systemClock, type Clock } from '../../util/clock.ts';
import type { Request } from '../request.ts';
import type { Pool } from './pool.ts';

export interface AsyncPoolOptions {
  readonly name: 'async' | 'solo';
  readonly concurrency: number;
  readonly runtime: TaskRuntime;
  readonly logger: Logger;
  /** For time limits. @defaultValue the system's */
  readonly clock?: Clock;
}

export class AsyncPool implements Pool {
  readonly name: 'async' | 'solo';
  readonly concurrency: number;
  readonly #runtime: TaskRuntime;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Requests whose run is over while their handler is not, with the reason. */
  readonly #over = new WeakMap<TaskRequest, Error>();

  /** Of runs that hooks follow. */
  readonly #contexts = new WeakMap<Request, TaskContext>();

  constructor({ name, concurrency, runtime, logger, clock = systemClock }: AsyncPoolOptions) {
    this.name = name;
    this.concurrency = concurrency;
    this.#logger = logger;
    this.#clock = clock;
    this.#runtime = {
      ...runtime,
      updateState: async (request, taskId, state, meta) => {
        const over = this.#over.get(request);
        if (over !== undefined) throw over;
        await runtime.updateState(request, taskId, state, meta);
      },
    };
  }

  async start(): Promise<void> {
    // Nothing to warm up: the loop is ours already. It is the one process that runs tasks.
    await signals.workerProcessInit.send({ sender: null }, this.#logger);
  }

  run(request: Request): Promise<Outcome> {
    const { type, args, kwargs, headers, controller } = request;
    const { definition } = type;
    const context = new TaskContext(definition, request.toTaskRequest(), this.#runtime, controller);
    if (hasEnd(definition)) this.#contexts.set(request, context);
    // The message's limits first, the task type's where it has none or 0. Celery: Request.execute_using_pool.
    const hard = headers.timelimit.hard || type.timeLimit || null;
    const soft = headers.timelimit.soft || type.softTimeLimit || null;
    if (hard === null && soft === null) return runTask(definition, context, args, kwargs);
    return this.#runLimited(request, context, hard, soft);
  }

  async finish(request: Request, ending: Ending): Promise<HookFailure | null> {
    const context = this.#contexts.get(request);
    return context === undefined ? null : runEndHooks(request.type.definition, context, ending);
  }

  abort(request: Request, reason: Error): boolean {
    if (request.startedAt === null) return false;
    request.controller.abort(reason);
    return true;
  }

  async stop(): Promise<void> {
    // The worker waits for what runs; an event loop cannot end a promise.
    await signals.workerProcessShutdown.send({ sender: null, pid: process.pid, exitcode: 0 }, this.#logger);
  }

  #runLimited(request: Request, context: TaskContext, hard: number | null, soft: number | null): Promise<Outcome> {
    const { name, id, type, args, kwargs, controller } = request;
    return new Promise((resolve) => {
      let overSince: number | undefined;
      const noSoft = this.#after(soft, (seconds) => {
        this.#logger.warn(sentences.softTimeLimit(name, id, seconds), { task_id: id, task_name: name });
        controller.abort(new SoftTimeLimitExceeded());
      });
      const noHard = this.#after(hard, (seconds) => {
        noSoft?.();
        overSince = this.#clock.now();
        const error = new TimeLimitExceeded(seconds);
        this.#over.set(context.request, error);
        controller.abort(error);
        context.end(error);
        resolve({ kind: 'timeout', limitSeconds: seconds });
      });
      void runTask(type.definition, context, args, kwargs).then((outcome) => {
        noSoft?.();
        noHard?.();
        if (overSince === undefined) resolve(outcome);
        else this.#reportRunaway(request, outcome, (this.#clock.now() - overSince) / 1000);
      });
    });
  }

  #after(seconds: number | null, run: (seconds: number) => void): (() => void) | undefined {
    return seconds === null ? undefined : this.#clock.after(seconds * 1000, () => run(seconds));
  }

  #reportRunaway({ name, id }: Request, outcome: RunOutcome, seconds: number): void {
    this.#logger.warn(
      `Task ${name}[${id}] ran on for ${seconds.toFixed(3)}s after its hard time limit; its outcome (${outcome.kind}) is ignored`,
      { task_id: id, task_name: name },
    );
  }
}
