/**
 * Where a task's message goes: a queue straight away, or an exchange with a routing key. Counterpart: celery/app/amqp.py
 * AMQP._create_task_sender (send_task_message), 5.6.3.
 */
import type { QueueDeclaration } from '../broker/queue.ts';
import type { Queues } from '../broker/queues.ts';

export interface Destination {
  /** '' is the anonymous exchange: the routing key is the queue's name. */
  readonly exchange: string;
  readonly routingKey: string;
  /** The queue it was meant for; undefined where an exchange was named and there is no default queue. */
  readonly queue: QueueDeclaration | undefined;
}

/** What a caller may say of it. */
export interface Route {
  readonly queue?: string | undefined;
  readonly exchange?: string | undefined;
  readonly routingKey?: string | undefined;
}

/**
 * Direct queues are reached by their name, whatever their exchange is; only who gives both exchange and routing key, or
 * whose queue hangs on another kind of exchange, publishes through one.
 *
 * @throws ConfigError for a queue that is unknown and must not be made.
 */
export function destinationOf(queues: Queues, { queue: name, exchange, routingKey }: Route): Destination {
  if (name === undefined && exchange && routingKey) {
    return { exchange, routingKey, queue: queues.find(queues.defaultName) };
  }
  const queue = queues.get(name ?? queues.defaultName);
  if ((!exchange || !routingKey) && queue.exchangeType === 'direct')
    return { exchange: '', routingKey: queue.name, queue };
  if (exchange) return { exchange, routingKey: routingKey ?? '', queue };
  return { exchange: queue.exchange, routingKey: routingKey || queue.routingKey, queue };
}
