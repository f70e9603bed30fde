/**
 * Reads entries of `unacked` for restoring: where each message goes back to, and its text marked as redelivered.
 * Works on bytes (as latin1 text), so that nothing a Python member wrote is changed on the way.
 */
import { DecodeError } from '../errors.ts';
import { decodeEnvelope } from '../protocol/envelope.ts';
import { markRedelivered, parseEntry } from '../protocol/redelivery.ts';
import type { RedisPort } from '../redis/port.ts';
import type { Bindings } from './bindings.ts';
import type { BrokerKeys } from './keys.ts';
import { priorityStep } from './priorities.ts';

export interface RestorableEntry {
  readonly field: string;
  /** Full keys of the lists it goes back to; none for a broadcast, which nobody keeps: a restored copy would rot in a list. */
  readonly lists: readonly string[];
  readonly message: Buffer;
}

export interface EntryReport {
  readonly restorable: RestorableEntry[];
  /** Fields whose entry is gone meanwhile. */
  readonly vanished: string[];
  /** Entries that cannot be restored: they would kill the Python member that tries, or no queue is bound for them. */
  readonly poisonous: { readonly field: string; readonly entry: Buffer; readonly reason: string }[];
}

export class EntryReader {
  readonly #redis: RedisPort;
  readonly #keys: BrokerKeys;
  readonly #bindings: Bindings;
  readonly #steps: readonly number[];
  readonly #deadletterQueue: string | undefined;

  constructor(
    redis: RedisPort,
    keys: BrokerKeys,
    bindings: Bindings,
    steps: readonly number[],
    deadletterQueue?: string,
  ) {
    this.#redis = redis;
    this.#keys = keys;
    this.#bindings = bindings;
    this.#steps = steps;
    this.#deadletterQueue = deadletterQueue;
  }

  async read(fields: readonly string[], redelivered = true): Promise<EntryReport> {
    const report: EntryReport = { restorable: [], vanished: [], poisonous: [] };
    if (fields.length === 0) return report;
    const entries = (await this.#redis.commandBuffers('HMGET', this.#keys.unacked, ...fields)) as (Buffer | null)[];
    for (const [i, field] of fields.entries()) {
      const entry = entries[i];
      if (entry === null || entry === undefined) {
        report.vanished.push(field);
        continue;
      }
      try {
        const { raw, exchange, routingKey } = parseEntry(entry.toString('latin1'));
        const envelope = decodeEnvelope(Buffer.from(raw, 'latin1').toString());
        const step = priorityStep(envelope.properties['priority'], this.#steps);
        const queues = await this.#queuesFor(fromLatin1(exchange), fromLatin1(routingKey));
        report.restorable.push({
          field,
          lists: queues.map((queue) => this.#keys.list(queue, step)),
          message: Buffer.from(redelivered ? markRedelivered(raw) : raw, 'latin1'),
        });
      } catch (error) {
        report.poisonous.push({ field, entry, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    return report;
  }

  /** Kombu drops a message whose queue is bound no more; here it goes to the dead letters, or is poisonous: kept, and told. */
  async #queuesFor(exchange: string, routingKey: string): Promise<string[]> {
    if (this.#bindings.typeOf(exchange) === 'fanout') return [];
    const queues = await this.#bindings.lookup(exchange, routingKey);
    if (queues.length > 0) return queues;
    if (this.#deadletterQueue !== undefined) return [this.#deadletterQueue];
    throw new DecodeError(
      `no queue is bound to exchange ${JSON.stringify(exchange)} for the routing key ${JSON.stringify(routingKey)} any more`,
    );
  }
}

function fromLatin1(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}
