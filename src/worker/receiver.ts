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
import { sentences, type Logger } from '../log.ts';
import { decodeEnvelope, readBody, type Envelope } from '../protocol/envelope.ts';
import { isAccepted } from '../protocol/serializers.ts';
import {
  isTaskMessage,
  liftProtocol1,
  readHeaders,
  readTaskBody,
  type TaskBody,
  type TaskHeaders,
} from '../protocol/task-message.ts';
import type { Background } from '../util/background.ts';
import { announceRejected } from './announce.ts';
import type { Strategy, TaskMessage } from './strategy.ts';

export interface ReceiverOptions {
  readonly logger: Logger;
  readonly background: Background;
  readonly accept: ReadonlySet<string>;
  readonly maxBodyBytes: number;
  /** The strategy of a task name; undefined: not registered. */
  readonly strategyOf: (name: string) => Strategy | undefined;
  /** Answers for a task nobody here knows, then drops the message. */
  readonly refuseUnknown: (delivery: Delivery, headers: TaskHeaders, error: NotRegisteredError) => Promise<void>;
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
    const decoded = readBody(envelope, { accept: this.#options.accept, maxBytes: this.#options.maxBodyBytes });
    return decoded instanceof Promise ? decoded.then(readTaskBody) : readTaskBody(decoded);
  }

  #receiveOne(delivery: Delivery): Promise<void> | undefined {
    const envelope = decodeEnvelope(delivery.raw);
    // Celery looks at the content type on arrival, before anything is decoded.
    if (!isAccepted(envelope.contentType, this.#options.accept)) {
      throw new ContentDisallowedError(`content type ${JSON.stringify(envelope.contentType)} is not in accept_content`);
    }
    if (isTaskMessage(envelope))
      return this.#dispatch(delivery, { envelope, headers: readHeaders(envelope), body: undefined });
    const decoded = readBody(envelope, { accept: this.#options.accept, maxBytes: this.#options.maxBodyBytes });
    const lift = (body: unknown): Promise<void> | undefined =>
      this.#dispatch(delivery, { envelope, ...liftProtocol1(envelope, body) });
    return decoded instanceof Promise ? decoded.then((body) => lift(body)) : lift(decoded);
  }

  #dispatch(delivery: Delivery, message: TaskMessage): Promise<void> | undefined {
    const { strategyOf, refuseUnknown } = this.#options;
    const strategy = strategyOf(message.headers.task);
    if (strategy !== undefined) return strategy(delivery, message);
    return refuseUnknown(delivery, message.headers, new NotRegisteredError(message.headers.task));
  }

  async #guard(delivery: Delivery, pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#refuse(delivery, error);
    }
  }

  #refuse(delivery: Delivery, error: unknown): void {
    const { logger, background, quarantine } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const context = { queue: delivery.queue, delivery_tag: delivery.field };
    if (error instanceof InvalidTaskError) logger.error(sentences.invalidTask(reason, delivery.raw), context);
    else if (error instanceof ContentDisallowedError)
      logger.error(sentences.contentDisallowed(reason, delivery.raw), context);
    else if (error instanceof DecodeError) logger.critical(sentences.decodeError(reason, delivery.raw), context);
    else logger.critical(`Receiving a message of queue "${delivery.queue}" failed: ${reason}`, { ...context, error });
    if (!delivery.isSettled) background.run('quarantining a message', quarantine(delivery, reason));
    announceRejected(delivery, error, logger);
  }
}
