/**
 * Restores what outlived the visibility timeout, for Python members that died. Counterpart: kombu 5.6,
 * transport/redis.py QoS.restore_visible, whose mutex and order it shares: oldest first to be consumed.
 *
 * Differs from kombu: an entry that cannot be restored is put into the quarantine instead of stopping the sweep, and with
 * a limit the oldest are taken, not the newest.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import type { EntryReader } from './entries.ts';
import type { BrokerKeys } from './keys.ts';
import { QUARANTINE_LISTED, RELEASE_LOCK, RESTORE_LISTED } from './scripts/sweep.ts';

export interface VisibilitySweepOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly entries: EntryReader;
  readonly logger: Logger;
  readonly visibilityTimeoutSeconds: number;
  readonly mutexExpireSeconds: number;
  /** `unacked_restore_limit`: how many entries one sweep restores at most; null: all. */
  readonly limit: number | null;
  readonly quarantineMaxLength: number;
}

const CHUNK = 200;

export class VisibilitySweep {
  readonly #options: VisibilitySweepOptions;

  constructor(options: VisibilitySweepOptions) {
    this.#options = options;
  }

  /** One sweep, unless another member is at it. Returns how many entries were restored. */
  async run(): Promise<number> {
    const { redis, keys, mutexExpireSeconds } = this.#options;
    const token = randomUUID();
    const locked = await redis.command(
      'SET',
      keys.unackedMutex,
      token,
      'NX',
      'PX',
      Math.round(mutexExpireSeconds * 1000),
    );
    if (locked === null) return 0;
    try {
      return await this.#sweep();
    } finally {
      await redis.run(RELEASE_LOCK, [keys.unackedMutex], [token]);
    }
  }

  async #sweep(): Promise<number> {
    const { redis, keys, visibilityTimeoutSeconds, limit } = this.#options;
    // Kombu's scores are the clocks of the workers; like kombu we compare with our own.
    const ceiling = Date.now() / 1000 - visibilityTimeoutSeconds;
    const range = limit === null ? [] : ['LIMIT', 0, limit];
    const listed = (await redis.command(
      'ZRANGEBYSCORE',
      keys.unackedIndex,
      0,
      ceiling,
      'WITHSCORES',
      ...range,
    )) as string[];
    const scores = new Map<string, string>();
    for (let i = 0; i + 1 < listed.length; i += 2) scores.set(listed[i] as string, listed[i + 1] as string);
    const newestFirst = [...scores.keys()].reverse();
    let restored = 0;
    for (let start = 0; start < newestFirst.length; start += CHUNK) {
      restored += await this.#restore(newestFirst.slice(start, start + CHUNK), scores);
    }
    return restored;
  }

  async #restore(fields: string[], scores: ReadonlyMap<string, string>): Promise<number> {
    const { redis, keys, entries, logger, quarantineMaxLength } = this.#options;
    const { restorable, vanished, poisonous } = await entries.read(fields);
    for (const { field, entry, reason } of poisonous) {
      logger.error(`Entry ${field} of unacked cannot be restored and goes to the quarantine: ${reason}`);
      const args = [quarantineMaxLength, field, scores.get(field) ?? '', reason, entry];
      await redis.run(QUARANTINE_LISTED, [keys.unacked, keys.unackedIndex, keys.quarantine], args);
    }
    const scoreOf = (field: string): string => scores.get(field) ?? '';
    const args = [
      ...restorable.flatMap(({ field, lists, message }) => [field, scoreOf(field), message, lists.length, ...lists]),
      // An index member without its entry is only removed, by the same fence: somebody may have just taken it.
      ...vanished.flatMap((field) => [field, scoreOf(field), '', 0]),
    ];
    if (args.length === 0) return 0;
    return (await redis.run(RESTORE_LISTED, [keys.unacked, keys.unackedIndex], args)) as number;
  }
}
