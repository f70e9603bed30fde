/** Sends tasks as celery-node's users write it. Counterpart: app/client.js and app/task.js of celery-node 0.5.9. */
import { randomUUID } from 'node:crypto';
import type { SendOptions } from '../client/send.ts';
import type { Settings } from '../config/config.ts';
import { Base } from './base.ts';
import { AsyncResult } from './result.ts';

/** What celery-node could not say of a message: countdown, eta, expires, priority, queue ... */
export type TaskOptions = Omit<SendOptions, 'args' | 'kwargs' | 'taskId'>;

export class Client extends Base {
  constructor(broker: string, backend: string, queue: string, settings: Settings) {
    super(broker, backend, queue, settings, 'warning');
  }

  createTask(name: string): Task {
    return new Task(this, name);
  }

  /**
   * Sends a task. The message is on its way when this returns; what keeps it from arriving rejects `get`, and is logged.
   *
   * @throws ConfigError for a `conf` that cannot be used.
   */
  sendTask(
    taskName: string,
    args: readonly unknown[] = [],
    kwargs: object = {},
    taskId: string = randomUUID(),
    options: TaskOptions = {},
  ): AsyncResult {
    const { app, conf } = this;
    const published = app.sendTask(taskName, {
      queue: conf.CELERY_QUEUE,
      ...options,
      args,
      kwargs: kwargs as Readonly<Record<string, unknown>>,
      taskId,
    });
    published.catch((error: unknown) => app.logger.error(`Task ${taskName}[${taskId}] could not be sent`, { error }));
    return new AsyncResult(taskId, () => app.backend(), published);
  }

  /** The result of a task that was sent before, here or elsewhere. */
  asyncResult(taskId: string): AsyncResult {
    const { app } = this;
    return new AsyncResult(taskId, () => app.backend(), Promise.resolve());
  }
}

export class Task {
  readonly client: Client;
  readonly name: string;

  constructor(client: Client, name: string) {
    this.client = client;
    this.name = name;
  }

  delay(...args: unknown[]): AsyncResult {
    return this.applyAsync(args);
  }

  /** @param options - beyond celery-node: countdown, expires, priority, queue ... */
  applyAsync(args?: readonly unknown[] | null, kwargs?: object | null, options: TaskOptions = {}): AsyncResult {
    if (args && !Array.isArray(args)) throw new Error('args is not array');
    if (kwargs && typeof kwargs !== 'object') throw new Error('kwargs is not object');
    return this.client.sendTask(this.name, args ?? [], kwargs ?? {}, randomUUID(), options);
  }
}
