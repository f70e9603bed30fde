/**
 * From delivery to request: the one place where bytes from elsewhere become something a worker runs, or are refused with
 * a reason. Counterpart: celery/worker/consumer/consumer.py (on_task_received, on_unknown_message, on_unknown_task,
 * on_invalid_task, on_decode_error) and worker/strategy.py, 5.6.3.
 *
 * Differs from Celery: what Celery drops keeps its bytes in the quarantine, and a message that would kill a Python worker
 * (no id, a body of another shape) is refused like any other bad one. docs/compat.md.
 */
import type { Delivery } from '../broker/delivery.ts';
import { ContentDisallowedError, DecodeError, InvalidTaskError, NotRegisteredError } from '../errors.ts';
import { sentences, type Logger, HIDDEN } from '../log.ts';
import { decodeEnvelope, readBody, type Envelope } from '../protocol/envelope.ts';
import { isAccepted } from '../protocol/serializers.ts';
import { pyRepr } from '../protocol/python-repr.ts';
import {
  isProtocol1Body,
  isTaskMessage,
  liftProtocol1,
  readHeaders,
  readTaskBody,
  type TaskBody,
  type TaskHeaders,
} from '../protocol/task-message.ts';
import type { Background } from '../util/background.ts';
import { announceRejected } from './announce.ts';
import type { Strategy } from './strategy.ts';

/** What it takes to answer for a task. */
export type TaskIdentity = Pick<TaskHeaders, 'id' | 'task' | 'group' | 'parentId'>;

/** No task at all: Celery warns of it and drops it. */
class UnknownMessage extends DecodeError {}

export interface ReceiverOptions {
  readonly logger: Logger;
  readonly background: Background;
  readonly accept: ReadonlySet<string>;
  readonly maxBodyBytes: number;
  /** `celeriac_hide_arguments`: what is refused is not printed. */
  readonly hidesArguments: boolean;
  /** The strategy of a task name; undefined: not registered. */
  readonly strategyOf: (name: string) => Strategy | undefined;
  /** Answers for a task nobody here knows, then drops the message. */
  readonly refuseUnknown: (delivery: Delivery, task: TaskIdentity, error: NotRegisteredError) => Promise<void>;
  /** Keeps the message's bytes and ends the hold. */
  readonly quarantine: (delivery: Delivery, reason: string) => Promise<void>;
}

export class Receiver {
  readonly #options: ReceiverOptions;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Never throws: each message fails alone. */
  receive(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      try {
        const pending = this.#receiveOne(delivery);
        if (pending !== undefined) this.#options.background.run('receiving a message', this.#guard(delivery, pending));
      } catch (error) {
        this.#refuse(delivery, error);
      }
    }
  }

  /** Reads a message's body; a promise only where its compression needs one. */
  readBody(envelope: Envelope): TaskBody | Promise<TaskBody> {
    // Old producers put a body of protocol 1 under headers of protocol 2.
    const read = (decoded: unknown): TaskBody =>
      isProtocol1Body(decoded, envelope) ? liftProtocol1(envelope, decoded).body : readTaskBody(decoded);
    const decoded = this.#decodeBody(envelope);
    return decoded instanceof Promise ? decoded.then(read) : read(decoded);
  }

  #decodeBody(envelope: Envelope): unknown {
    return readBody(envelope, { accept: this.#options.accept, maxBytes: this.#options.maxBodyBytes });
  }

  #receiveOne(delivery: Delivery): Promise<void> | undefined {
    const { accept, strategyOf } = this.#options;
    const envelope = decodeEnvelope(delivery.raw);
    if (isTaskMessage(envelope)) {
      const name = envelope.headers['task'];
      const strategy = typeof name === 'string' ? strategyOf(name) : undefined;
      // The task comes first, as in Celery: who asks for one that nobody knows is answered, whatever the content is.
      if (strategy === undefined) return this.#refuseUnknown(delivery, name, envelope.headers);
      checkContentType(envelope, accept);
      return strategy(delivery, { envelope, headers: readHeaders(envelope), body: undefined });
    }
    checkContentType(envelope, accept);
    const lift = (body: unknown): Promise<void> | undefined => {
      if (!isProtocol1Body(body)) throw new UnknownMessage('neither its headers nor its body name a task');
      const message = liftProtocol1(envelope, body);
      const strategy = strategyOf(message.headers.task);
      return strategy === undefined
        ? this.#refuseUnknown(delivery, message.headers.task, body)
        : strategy(delivery, { envelope, ...message });
    };
    const decoded = this.#decodeBody(envelope);
    return decoded instanceof Promise ? decoded.then(lift) : lift(decoded);
  }

  /** `fields`: what holds the id, the headers or a body of protocol 1. Nothing else of it need be sound to be answered. */
  #refuseUnknown(delivery: Delivery, name: unknown, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { id, group, parent_id: parentId } = fields;
    if (typeof name !== 'string' && typeof name !== 'number' && typeof name !== 'boolean')
      throw new InvalidTaskError(`invalid task header: expected a name, not ${name === null ? 'null' : typeof name}`);
    if (typeof id !== 'string' || id === '')
      throw new InvalidTaskError(`task message has no id to answer under; its task ${pyRepr(name)} is not registered`);
    const task = typeof name === 'string' ? name : pyRepr(name);
    const identity = { id, task, group: textOrNull(group), parentId: textOrNull(parentId) };
    return this.#options.refuseUnknown(delivery, identity, new NotRegisteredError(task));
  }

  async #guard(delivery: Delivery, pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#refuse(delivery, error);
    }
  }

  #refuse(delivery: Delivery, error: unknown): void {
    const { logger, background, quarantine, hidesArguments } = this.#options;
    const raw = hidesArguments ? HIDDEN : delivery.raw;
    const reason = error instanceof Error ? error.message : String(error);
    const context = { queue: delivery.queue, delivery_tag: delivery.field };
    if (error instanceof UnknownMessage) logger.warn(sentences.unknownMessage(raw), context);
    else if (error instanceof InvalidTaskError) logger.error(sentences.invalidTask(reason, raw), context);
    else if (error instanceof ContentDisallowedError) logger.error(sentences.contentDisallowed(reason, raw), context);
    else if (error instanceof DecodeError) logger.critical(sentences.decodeError(reason, raw), context);
    else logger.critical(`Receiving a message of queue "${delivery.queue}" failed: ${reason}`, { ...context, error });
    if (!delivery.isSettled) background.run('quarantining a message', quarantine(delivery, reason));
    announceRejected(delivery, error, logger);
  }
}

function checkContentType({ contentType }: Envelope, accept: ReadonlySet<string>): void {
  if (isAccepted(contentType, accept)) return;
  throw new ContentDisallowedError(`content type ${JSON.stringify(contentType)} is not in accept_content`);
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
