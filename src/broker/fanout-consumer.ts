/**
 * Broadcasts: messages of the fanout queues a worker consumes. They come over pub/sub, each listener has a copy of its own,
 * and nobody stores them, so all that is held is held in memory here. Counterpart: kombu 5.6, transport/redis.py _subscribe
 * and _receive.
 *
 * What a Delivery's verbs mean for such a copy: ack forgets it; requeue delivers it here once more; park keeps it until it
 * is due; quarantine keeps its bytes, as of any message Celery would drop. What is left when the worker stops is dropped.
 *
 * Differs from Celery:
 *   - Its workers write broadcasts into `unacked`, where the copies of all workers share one field.
 *   - A copy that lies in a list is run too (`adopt`). That is where Celery's own clients put messages for a Broadcast:
 *     they do not declare its exchange, take it for a direct one, and no Python worker ever looks there.
 */
import type { Logger } from '../log.ts';
import { decodeEnvelope } from '../protocol/envelope.ts';
import { markRedelivered } from '../protocol/redelivery.ts';
import type { RedisPort, SubscriberPort } from '../redis/port.ts';
import { Delivery, type Holder } from './delivery.ts';
import type { FanoutChannels } from './fanout.ts';
import type { BrokerKeys } from './keys.ts';
import { queueBindings, type QueueBinding, type QueueDeclaration } from './queue.ts';

export interface FanoutConsumerOptions {
  readonly queues: readonly QueueDeclaration[];
  readonly subscriber: SubscriberPort;
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly channels: FanoutChannels;
  readonly logger: Logger;
  readonly maxMessageBytes: number;
  readonly quarantineMaxLength: number;
  /** Must not throw. */
  readonly deliver: (deliveries: Delivery[]) => void;
}

/** Copies kept at most. Whoever publishes does not wait for us, so more than this is lost rather than our memory. */
const MAX_KEPT = 10_000;
/** Node's longest timer. */
const MAX_TIMER_MS = 2_147_483_647;

interface Copy {
  readonly queue: string;
  readonly raw: string;
  timer?: NodeJS.Timeout;
}

export class FanoutConsumer implements Holder {
  /** No instance of the cluster holds a broadcast. */
  readonly instance = 'fanout';
  readonly #options: FanoutConsumerOptions;
  readonly #names: ReadonlySet<string>;
  /** Queues by what is subscribed for them. */
  readonly #subscriptions = new Map<string, string[]>();
  readonly #kept = new Map<string, Copy>();
  #count = 0;
  #dropped = 0;
  #isStopped = false;

  constructor(options: FanoutConsumerOptions) {
    this.#options = options;
    this.#names = new Set(
      options.queues.filter((queue) => queueBindings(queue).every(isFanout)).map(({ name }) => name),
    );
    for (const queue of options.queues) {
      for (const { exchange, routingKey } of queueBindings(queue).filter(isFanout)) {
        const pattern = options.channels.pattern(exchange, routingKey);
        this.#subscriptions.set(pattern, [...(this.#subscriptions.get(pattern) ?? []), queue.name]);
      }
    }
  }

  /** Settles when nothing that is published from now on is missed. */
  async start(): Promise<void> {
    const { subscriber } = this.#options;
    subscriber.onMessage((channel, payload, pattern) => {
      const queues = this.#subscriptions.get(pattern ?? channel) ?? [];
      for (const queue of queues) this.#receive(queue, payload);
    });
    await subscriber.connect();
    const patterns = [...this.#subscriptions.keys()];
    // A plain name is subscribed as such: PSUBSCRIBE is allowed only where the ACL names the very same pattern.
    await subscriber.subscribe(...patterns.filter((pattern) => !isGlob(pattern)));
    await subscriber.psubscribe(...patterns.filter((pattern) => isGlob(pattern)));
  }

  /** Ends listening; what waits for its time is dropped. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const parked = [...this.#kept.entries()].filter(([, copy]) => copy.timer !== undefined);
    for (const [field, copy] of parked) {
      clearTimeout(copy.timer);
      this.#kept.delete(field);
    }
    this.#warnOfDropped(parked.length);
    await this.#options.subscriber.close();
  }

  /** Ends listening at once. */
  destroy(): void {
    this.#isStopped = true;
    for (const copy of this.#kept.values()) clearTimeout(copy.timer);
    this.#options.subscriber.destroy();
  }

  /** Drops copies that nobody will finish. */
  drop(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#kept.delete(delivery.release());
    this.#warnOfDropped(deliveries.length);
  }

  isOwn(delivery: Delivery): boolean {
    return delivery.instance === this.instance;
  }

  /** Whether `queue` is one of ours that nothing but fanouts lead to: its list holds only copies for this worker. */
  has(queue: string): boolean {
    return this.#names.has(queue);
  }

  /**
   * Takes over a copy that lay in the list of its queue. One marked as redelivered was put there by a Python worker that
   * restored its own: this worker had one already.
   */
  adopt(queue: string, raw: string): void {
    if (isRedelivered(raw)) {
      this.#options.logger.debug(`Dropped a broadcast in queue "${queue}" that another worker had restored`);
      return;
    }
    this.#keep(queue, raw);
  }

  ack(field: string): Promise<boolean> {
    return Promise.resolve(this.#kept.delete(field));
  }

  requeue(field: string): Promise<boolean> {
    const copy = this.#forget(field);
    if (copy === undefined) return Promise.resolve(false);
    // Not within the caller's turn: a task that always requeues must let others run.
    const again = markRedelivered(copy.raw);
    setImmediate(() => this.#keep(copy.queue, again));
    return Promise.resolve(true);
  }

  park(field: string, _queue: string, etaSeconds: number): Promise<boolean> {
    const copy = this.#kept.get(field);
    if (copy === undefined || this.#isStopped) return Promise.resolve(false);
    const wait = Math.min(Math.max(0, etaSeconds * 1000 - Date.now()), MAX_TIMER_MS);
    copy.timer = setTimeout(() => {
      this.#kept.delete(field);
      this.#keep(copy.queue, copy.raw);
    }, wait);
    return Promise.resolve(true);
  }

  async quarantine(field: string, queue: string, reason: string): Promise<boolean> {
    const copy = this.#forget(field);
    if (copy === undefined) return false;
    await this.#keepBytes(queue, copy.raw, reason);
    return true;
  }

  #receive(queue: string, payload: Buffer): void {
    const { maxMessageBytes, logger } = this.#options;
    if (payload.length <= maxMessageBytes) {
      this.#keep(queue, payload.toString());
      return;
    }
    const reason = `it has ${payload.length} bytes, more than celeriac_max_message_bytes (${maxMessageBytes})`;
    logger.critical(`Can't read a broadcast of queue "${queue}": ${reason}`);
    this.#keepBytes(queue, payload, reason).catch((error: unknown) => {
      logger.error('It could not be kept in the quarantine either', { error });
    });
  }

  #keep(queue: string, raw: string): void {
    if (this.#isStopped) {
      this.#warnOfDropped(1);
      return;
    }
    if (this.#kept.size >= MAX_KEPT) {
      this.#refuse(queue);
      return;
    }
    this.#count += 1;
    const field = `${queue}#${this.#count}`;
    this.#kept.set(field, { queue, raw });
    this.#options.deliver([new Delivery(this, field, queue, raw)]);
  }

  #refuse(queue: string): void {
    this.#dropped += 1;
    // One line for the first, then for each thousand: they come in floods.
    if (this.#dropped % 1000 !== 1) return;
    this.#options.logger.error(
      `${MAX_KEPT} broadcasts wait for a slot: those of queue "${queue}" that come now are dropped (${this.#dropped} so far). ` +
        'Raise the concurrency, or send what must not be lost to a queue',
    );
  }

  #forget(field: string): Copy | undefined {
    const copy = this.#kept.get(field);
    this.#kept.delete(field);
    return copy;
  }

  async #keepBytes(queue: string, message: string | Buffer, reason: string): Promise<void> {
    const { redis, keys, quarantineMaxLength } = this.#options;
    const entry = ['queue', queue, 'reason', reason, 'message', message, 'instance', this.instance];
    await redis.command('XADD', keys.quarantine, 'MAXLEN', '~', quarantineMaxLength, '*', ...entry);
  }

  #warnOfDropped(count: number): void {
    if (count > 0)
      this.#options.logger.warn(`Dropped ${count} broadcast(s) that were not done: nobody keeps them for later`);
  }
}

/** Whether any of a queue's bindings is a fanout's. */
export function isBroadcastQueue(queue: QueueDeclaration): boolean {
  return queueBindings(queue).some(isFanout);
}

function isFanout({ exchangeType }: QueueBinding): boolean {
  return exchangeType === 'fanout';
}

function isGlob(pattern: string): boolean {
  return /[*?[\]\\]/.test(pattern);
}

function isRedelivered(raw: string): boolean {
  try {
    const info = decodeEnvelope(raw).properties['delivery_info'];
    return typeof info === 'object' && info !== null && (info as Record<string, unknown>)['redelivered'] === true;
  } catch {
    // The receiver tells what is wrong with it.
    return false;
  }
}
