/**
 * Publishes envelopes: to the queues an exchange leads to, or as a fanout. Counterpart: kombu 5.6, transport/redis.py
 * Channel._put and _put_fanout. What is published in one turn of the event loop shares one write.
 *
 * A connection that is lost between sending and the answer makes the command be sent again: like kombu's publisher with
 * task_publish_retry, a message may then arrive twice, never not at all.
 */
import { encodeEnvelope, type Envelope } from '../protocol/envelope.ts';
import type { RedisCommand, RedisPort } from '../redis/port.ts';
import { Batcher } from '../util/batcher.ts';
import type { Bindings } from './bindings.ts';
import type { FanoutChannels } from './fanout.ts';
import type { BrokerKeys } from './keys.ts';
import { priorityStep } from './priorities.ts';

export interface ProducerOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly bindings: Bindings;
  readonly fanout: FanoutChannels;
  readonly prioritySteps: readonly number[];
  /** Where messages go that no queue is bound for; without it they are dropped, as kombu does. */
  readonly deadletterQueue?: string | undefined;
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #pushes: Batcher<RedisCommand, unknown>;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#pushes = new Batcher({
      maxItems: 1000,
      maxBytes: 4_194_304,
      weigh: (command) => String(command[2]).length,
      maxInFlight: 4,
      run: (commands) => options.redis.pipeline(commands),
    });
  }

  /** Settles when the message is in Redis. False: no queue is bound for it, it was dropped. */
  async publish(envelope: Envelope, exchange: string, routingKey: string): Promise<boolean> {
    const { keys, bindings, fanout, prioritySteps, deadletterQueue } = this.#options;
    if (exchange !== '' && bindings.typeOf(exchange) === 'fanout') {
      await this.publishFanout(envelope, fanout.channel(exchange, routingKey));
      return true;
    }
    const queues = exchange === '' ? [routingKey] : await bindings.lookup(exchange, routingKey);
    // Differs from Celery: kombu leaves what a topic exchange can't deliver out of the dead letters.
    if (queues.length === 0 && deadletterQueue !== undefined) queues.push(deadletterQueue);
    const text = encodeEnvelope(envelope);
    const step = priorityStep(envelope.properties['priority'], prioritySteps);
    await Promise.all(queues.map((queue) => this.#pushes.add(['LPUSH', keys.list(queue, step), text])));
    return queues.length > 0;
  }

  /** Publishes to whoever listens on a channel now. */
  async publishFanout(envelope: Envelope, channel: string): Promise<void> {
    await this.#pushes.add(['PUBLISH', channel, encodeEnvelope(envelope)]);
  }

  /** Settles when everything published so far is in Redis. */
  idle(): Promise<void> {
    return this.#pushes.idle();
  }
}
