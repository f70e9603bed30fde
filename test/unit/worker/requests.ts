/** Requests without Redis: a delivery that keeps what became of it. */
import { Delivery, type Holder } from '../../../src/broker/delivery.ts';
import { resolveConfig, type Settings } from '../../../src/config/config.ts';
import type { Envelope } from '../../../src/protocol/envelope.ts';
import { readHeaders, readTaskBody } from '../../../src/protocol/task-message.ts';
import { buildTaskMessage, type TaskMessageInput } from '../../../src/protocol/task-publish.ts';
import { defineTask } from '../../../src/tasks/task.ts';
import { Request } from '../../../src/worker/request.ts';
import { compileTaskType } from '../../../src/worker/task-type.ts';

export interface Made {
  readonly request: Request;
  /** What ended its hold: `ack`, `requeue` ... */
  readonly ends: string[];
}

export function makeRequest(
  given: {
    readonly handler?: (...args: never[]) => unknown;
    readonly options?: object;
    readonly settings?: Settings;
    readonly message?: Partial<TaskMessageInput>;
    readonly ends?: string[];
  } = {},
): Made {
  const { handler = () => 1, options = {}, settings = {}, message = {}, ends = [] } = given;
  const end = (verb: string) => async () => {
    ends.push(verb);
    return true;
  };
  const holder: Holder = {
    instance: 'i',
    ack: end('ack'),
    requeue: end('requeue'),
    park: end('park'),
    quarantine: end('quarantine'),
  };
  const built = buildTaskMessage({ id: 'id-1', task: 't.t', origin: 'gen1@h', ...message });
  // Told by every producer of 5.6; left out here, so that the task's option counts.
  if (message.ignoreResult === undefined) delete built.headers['ignore_result'];
  const envelope: Envelope = {
    body: '',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: built.headers,
    properties: { ...built.properties, delivery_info: { exchange: '', routing_key: 'celery' }, priority: 0 },
  };
  const type = compileTaskType(defineTask('t.t', options, handler), resolveConfig({ explicit: settings }));
  const request = new Request({
    type,
    delivery: new Delivery(holder, 'tag', 'celery', '{}'),
    envelope,
    headers: readHeaders(envelope),
    body: readTaskBody(built.body),
    expiresAtMs: null,
    hostname: 'node@h',
  });
  // As the worker does when a slot takes it.
  request.isAcknowledged = !type.acksLate;
  return { request, ends };
}
