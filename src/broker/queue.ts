/**
 * A queue as somebody declares it: its name, the exchange it hangs on, and by which keys. Redis keeps nothing of it but its
 * bindings. Counterparts: kombu/entity.py Queue, kombu/common.py Broadcast, 5.6.
 */
import { randomUUID } from 'node:crypto';

export const EXCHANGE_TYPES = ['direct', 'topic', 'fanout'] as const;
export type ExchangeType = (typeof EXCHANGE_TYPES)[number];

/** One way from an exchange into a queue. */
export interface QueueBinding {
  readonly exchange: string;
  readonly exchangeType: ExchangeType;
  readonly routingKey: string;
}

export interface QueueDeclaration extends QueueBinding {
  readonly name: string;
  /** Another name it is chosen by; that of a broadcast, whose queues have names of their own. */
  readonly alias?: string;
  /** Its bindings, where it has others than the one above; by that one it then is only sent to. */
  readonly bindings?: readonly QueueBinding[];
  /** delivery_mode of what is sent to it; else `task_default_delivery_mode` decides. */
  readonly deliveryMode?: number;
  /** A fanout queue that goes with its worker: its binding is taken away when the worker stops. */
  readonly isAutoDelete?: boolean;
  /** Made by Broadcast: each process has a queue of its own, so whoever only sends declares none. */
  readonly isBroadcast?: boolean;
}

/** The ways into a queue. Kombu: a Queue with bindings is not bound to its exchange besides. */
export function queueBindings(queue: QueueDeclaration): readonly QueueBinding[] {
  return queue.bindings ?? [queue];
}

/** A queue in a list of `task_queues`; Celery's snake_case names are read too. */
export interface QueueOptions {
  readonly name: string;
  readonly alias?: string;
  /** An exchange's name, or the exchange. Left out: `task_default_exchange`. */
  readonly exchange?: string | ExchangeOptions;
  /** direct, topic or fanout; needs `exchange`. */
  readonly exchangeType?: ExchangeType;
  /** The key it is bound with, for topic exchanges a pattern. Left out: `task_default_routing_key`. */
  readonly routingKey?: string;
  /** Bindings instead of that one. */
  readonly bindings?: readonly {
    readonly exchange: string | ExchangeOptions;
    readonly exchangeType?: ExchangeType;
    readonly routingKey?: string;
  }[];
  readonly autoDelete?: boolean;
  readonly deliveryMode?: number | 'transient' | 'persistent';
}

export interface ExchangeOptions {
  readonly name: string;
  readonly type?: ExchangeType;
  readonly deliveryMode?: number | 'transient' | 'persistent';
}

/**
 * A queue whose messages every worker gets a copy of: `task_queues: [new Broadcast('news')]`, then send to `queue: 'news'`.
 * Nothing is stored: who does not listen when a message is sent never sees it.
 */
export class Broadcast implements QueueOptions {
  readonly name: string;
  readonly alias: string;
  readonly exchange: ExchangeOptions;
  readonly routingKey?: string;
  readonly autoDelete: boolean;
  readonly broadcast = true;

  /**
   * @param name - the exchange, and the name it is sent to by.
   * @param options - `queue`: a name for this process' queue instead of a fresh one; `unique`: that name plus something fresh.
   */
  constructor(
    name: string,
    options: {
      readonly queue?: string;
      readonly unique?: boolean;
      readonly routingKey?: string;
      readonly autoDelete?: boolean;
    } = {},
  ) {
    const { queue, unique = false, routingKey, autoDelete = true } = options;
    this.name = unique ? `${queue ?? 'bcast'}.${randomUUID()}` : (queue ?? `bcast.${randomUUID()}`);
    this.alias = name;
    this.exchange = { name, type: 'fanout' };
    this.autoDelete = autoDelete;
    if (routingKey !== undefined) this.routingKey = routingKey;
  }
}

/** Celery's worker_direct: the queue by which one worker alone is reached. Celery: utils/nodenames.py worker_direct. */
export function workerDirectQueue(nodename: string): QueueDeclaration {
  return { name: `${nodename}.dq2`, exchange: 'C.dq2', exchangeType: 'direct', routingKey: nodename };
}
