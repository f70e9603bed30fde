/**
 * Tasks as promises in the worker's own event loop: cheap, made for tasks that wait. A task that computes holds up its
 * neighbours; the lease goes on meanwhile by its own thread. With a concurrency of 1 this is Celery's `solo`.
 */
import { TaskContext, type TaskRuntime } from '../../tasks/context.ts';
import type { Outcome } from '../../tasks/outcome.ts';
import { runTask } from '../../tasks/trace.ts';
import type { Request } from '../request.ts';
import type { Pool } from './pool.ts';

export class AsyncPool implements Pool {
  readonly name: 'async' | 'solo';
  readonly concurrency: number;
  readonly #runtime: TaskRuntime;

  constructor(name: 'async' | 'solo', concurrency: number, runtime: TaskRuntime) {
    this.name = name;
    this.concurrency = concurrency;
    this.#runtime = runtime;
  }

  async start(): Promise<void> {
    // Nothing to warm up: the loop is ours already.
  }

  run(request: Request): Promise<Outcome> {
    const { definition } = request.type;
    const context = new TaskContext(definition, request.toTaskRequest(), this.#runtime, request.controller);
    return runTask(definition, context, request.args, request.kwargs);
  }

  abort(request: Request, reason: Error): boolean {
    if (request.startedAt === null) return false;
    request.controller.abort(reason);
    return true;
  }

  async stop(): Promise<void> {
    // The worker waits for what runs; an event loop cannot end a promise.
  }
}
