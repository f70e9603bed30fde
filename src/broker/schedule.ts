/**
 * Parked messages as a whole. Each stays in `unacked`, scored with its ETA; any celeriac worker of the queue takes it
 * when due (scripts/due.ts). The last celeriac worker of a queue hands them back on warm shutdown, as Python does with
 * what it holds in memory, so that the Python members left behind take over.
 */
import type { RedisPort } from '../redis/port.ts';
import type { EntryReader } from './entries.ts';
import type { BrokerKeys } from './keys.ts';
import { OTHER_CONSUMERS } from './scripts/lease.ts';
import { NOT_KEPT } from './scripts/once.ts';
import { PUT_BACK } from './scripts/settle.ts';

const CHUNK = 500;

export class Schedule {
  readonly #redis: RedisPort;
  readonly #keys: BrokerKeys;
  readonly #entries: EntryReader;

  constructor(redis: RedisPort, keys: BrokerKeys, entries: EntryReader) {
    this.#redis = redis;
    this.#keys = keys;
    this.#entries = entries;
  }

  async count(queue: string): Promise<number> {
    return (await this.#redis.command('ZCARD', this.#keys.parked(queue))) as number;
  }

  /**
   * Puts the parked messages of `queue` back into it, unless a living celeriac worker other than `instance` consumes it.
   * Returns how many.
   */
  async handBack(queue: string, instance = ''): Promise<number> {
    const others = await this.#redis.run(OTHER_CONSUMERS, [this.#keys.consumers(queue)], [instance]);
    if ((others as number) > 0) return 0;
    const { unacked, unackedIndex, members } = this.#keys;
    const parked = this.#keys.parked(queue);
    let returned = 0;
    for (;;) {
      // Latest first, each to the front: what is due first is consumed first.
      const fields = (await this.#redis.command('ZREVRANGE', parked, 0, CHUNK - 1)) as string[];
      if (fields.length === 0) return returned;
      const { restorable, vanished, poisonous } = await this.#entries.read(fields);
      const args = restorable.flatMap(({ field, lists, message }) => [
        field,
        lists[0] ?? this.#keys.list(queue, 0),
        message,
      ]);
      const reply = await this.#redis.run(
        PUT_BACK,
        [this.#keys.member(instance), unacked, unackedIndex, parked, members],
        [...NOT_KEPT, 'RPUSH', '', ...args],
      );
      returned += (reply as [number, number])[0];
      // Only these: what was put back may have been taken and parked anew by a worker that just started.
      const leftover = [...vanished, ...poisonous.map(({ field }) => field)];
      if (leftover.length > 0) await this.#redis.command('ZREM', parked, ...leftover);
    }
  }
}
