/**
 * Returns what dead celeriac members held: their entries in `unacked`, their inboxes, what they had set aside. Any living
 * member does it as soon as a lease has run out; kombu's mutex, which a killed holder keeps for 300 s, plays no part.
 *
 * Every step is fenced and repeatable, so two members may recover the same one at once, and either may die at it: the
 * dead member stays listed until nothing of it is left.
 */
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import type { EntryReader } from './entries.ts';
import type { BrokerKeys } from './keys.ts';
import { GIVE_BACK, GIVE_BACK_ASIDE } from './scripts/aside.ts';
import { DEAD_MEMBERS, LEAVE } from './scripts/lease.ts';
import { NOT_KEPT } from './scripts/once.ts';
import { PUT_BACK, QUARANTINE } from './scripts/settle.ts';

export interface RecoveryOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly entries: EntryReader;
  readonly logger: Logger;
  readonly instance: string;
  readonly quarantineMaxLength: number;
  /** Puts the parked messages of a queue back into it, unless a living celeriac worker consumes it. */
  readonly handBackParked: (queue: string) => Promise<number>;
}

/** What JOIN writes about a member, as text. */
export interface MemberRecord {
  readonly node: string;
  readonly pid: string;
  /** JSON array of the full keys of the lists it waits on: each may have an inbox. */
  readonly lists: string;
  /** JSON array of the queues it consumes. */
  readonly queues: string;
}

const CHUNK = 200;

export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Recovers every dead member. Returns how many messages went back to their queues. */
  async run(): Promise<number> {
    const { redis, keys, instance } = this.#options;
    const dead = (await redis.run(DEAD_MEMBERS, [keys.members], [])) as string[];
    let messages = 0;
    // A member that finds itself here was stopped too long; it is told by its lease thread and joins anew.
    for (const member of dead) if (member !== instance) messages += await this.#recover(member);
    return messages;
  }

  async #recover(member: string): Promise<number> {
    const { redis, keys, logger } = this.#options;
    const record = toRecord((await redis.command('HGETALL', keys.member(member))) as string[]);
    const inboxes = parseList(record.lists).map((list) => [keys.inbox(member, list), list] as const);
    let returned = await this.#putBackHeld(member);
    if (returned === 'alive') return 0;
    if (inboxes.length > 0) returned += (await redis.run(GIVE_BACK, inboxes.flat(), [])) as number;
    returned += (await redis.run(GIVE_BACK_ASIDE, [keys.aside(member)], [])) as number;
    const queues = parseList(record.queues);
    const consumers = queues.map((queue) => keys.consumers(queue));
    const gone = await redis.run(
      LEAVE,
      [
        keys.members,
        keys.member(member),
        keys.held(member),
        keys.aside(member),
        ...inboxes.map(([inbox]) => inbox),
        ...consumers,
      ],
      [member, '1', consumers.length],
    );
    if (gone === 1) {
      // It may have been the last that knew the queue's schedule: Python members take over from the queue itself.
      for (const queue of queues) returned += await this.#options.handBackParked(queue);
      logger.warn(
        `Recovered ${returned} message(s) of ${record.node || member} (pid ${record.pid || 'unknown'}), whose lease ran out`,
      );
    }
    return returned;
  }

  async #putBackHeld(member: string): Promise<number | 'alive'> {
    const { redis, keys, entries } = this.#options;
    const heldKey = keys.held(member);
    let returned = 0;
    for (;;) {
      // Newest first, each pushed to the front: the oldest ends up as the next to be consumed.
      const fields = (await redis.command('ZREVRANGE', heldKey, 0, CHUNK - 1)) as string[];
      if (fields.length === 0) return returned;
      const { restorable, vanished, poisonous } = await entries.read(fields);
      const unroutable = restorable.filter((entry) => entry.lists.length === 0).map((entry) => entry.field);
      const args = restorable
        .filter((entry) => entry.lists.length > 0)
        .flatMap(({ field, lists, message }) => [field, lists[0] as string, message]);
      const reply = await redis.run(
        PUT_BACK,
        [keys.member(member), keys.unacked, keys.unackedIndex, heldKey, keys.members],
        [...NOT_KEPT, 'RPUSH', member, ...args],
      );
      const [count, alive] = reply as [number, number];
      if (alive === 1) return 'alive';
      returned += count;
      for (const { field, reason } of poisonous) await this.#condemn(member, field, reason);
      const leftover = [...vanished, ...unroutable];
      if (leftover.length > 0) await redis.command('ZREM', heldKey, ...leftover);
    }
  }

  async #condemn(member: string, field: string, reason: string): Promise<void> {
    const { redis, keys, quarantineMaxLength, logger } = this.#options;
    logger.error(`Entry ${field} of a dead member cannot be restored and goes to the quarantine: ${reason}`);
    await redis.run(
      QUARANTINE,
      [keys.member(member), keys.unacked, keys.unackedIndex, keys.held(member), keys.quarantine],
      [...NOT_KEPT, quarantineMaxLength, member, field, '', '\0', reason],
    );
  }
}

function toRecord(pairs: string[] | Record<string, string>): Partial<MemberRecord> {
  if (!Array.isArray(pairs)) return pairs;
  return Object.fromEntries(pairs.flatMap((name, i) => (i % 2 === 0 ? [[name, pairs[i + 1]]] : [])));
}

function parseList(json: string | undefined): string[] {
  try {
    const list: unknown = JSON.parse(json ?? '[]');
    return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  } catch {
    // A damaged record costs its inboxes a look-up by `celeriac recover`, never the recovery of what was held.
    return [];
  }
}
