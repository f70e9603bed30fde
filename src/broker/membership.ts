/**
 * One process as a member of the cluster: an instance id, a lease that a thread of its own renews, and the record by
 * which others recover what it held when it dies.
 *
 * States: `new` -join-> `member` -leave-> `left`. A member whose lease ran out for so long that others recovered it (a
 * stopped process, a Redis that was wiped) is told so by the thread; it then joins anew under a fresh instance id, and
 * whatever it held under the old one is fenced.
 */
import { v7 as uuidv7 } from 'uuid';
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import { DEAD_MEMBER_TTL, type BrokerKeys } from './keys.ts';
import { LeaseKeeper, type LeaseConnection } from './lease-keeper.ts';
import { JOIN, LEAVE } from './scripts/lease.ts';

export interface MembershipOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly nodename: string;
  readonly leaseSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  /** A loop blocked for longer ends the process; seconds. */
  readonly loopBlockLimitSeconds: number;
  /** How the lease thread reaches Redis: plain data, it crosses to the thread. */
  readonly connection: LeaseConnection;
  /** Called after the process joined anew under another instance. */
  readonly onRejoined: (instance: string) => void;
  /** The lease was in doubt, and stands again. */
  readonly onSure: () => void;
  /** Renewals begin to fail, or work again. */
  readonly onRenewal: (isFailing: boolean) => void;
  /** Fields that others took from us although we live. */
  readonly onLost: (fields: readonly string[]) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #keeper: LeaseKeeper;
  #instance = uuidv7();
  #queues: readonly string[] = [];
  #lists: readonly string[] = [];
  #state: 'new' | 'member' | 'left' = 'new';

  constructor(options: MembershipOptions) {
    this.#options = options;
    const {
      keys,
      logger,
      leaseSeconds,
      visibilityTimeoutSeconds,
      loopBlockLimitSeconds,
      connection,
      onLost,
      onRenewal,
    } = options;
    this.#keeper = new LeaseKeeper({
      connection,
      logger,
      keys: { unackedIndex: keys.unackedIndex, members: keys.members },
      leaseSeconds,
      // Three renewals fit into a lease, and an entry is re-scored before any sweep could list it.
      intervalSeconds: Math.min(10, visibilityTimeoutSeconds / 4, leaseSeconds / 3),
      loopBlockLimitSeconds,
      onLost,
      onRenewal,
      onMembershipLost: () => void this.#rejoin(),
      onRenewedLate: options.onSure,
    });
  }

  get instance(): string {
    return this.#instance;
  }

  get isMember(): boolean {
    return this.#state === 'member';
  }

  /**
   * Whether by our own clock the lease still runs. While it does not (the process was stopped, Redis is away) nothing may be
   * taken: what a member holds whom others have buried is found by no recovery.
   */
  get isSure(): boolean {
    return this.#state === 'member' && this.#keeper.isLeaseSure;
  }

  /** Joins and starts to renew. `lists` are the full keys that blocking pops may use, by priority step and queue. */
  async join(queues: readonly string[], lists: readonly string[]): Promise<void> {
    this.#queues = queues;
    this.#lists = lists;
    await this.#join();
    this.#state = 'member';
    this.#keeper.start(this.#leaseKeys());
  }

  /** Takes note of other queues; the record is rewritten before anything is popped from them. */
  async setQueues(queues: readonly string[], lists: readonly string[]): Promise<void> {
    const abandoned = this.#queues.filter((queue) => !queues.includes(queue));
    this.#queues = queues;
    this.#lists = lists;
    await this.#join();
    this.#keeper.update(this.#leaseKeys());
    for (const queue of abandoned)
      await this.#options.redis.command('ZREM', this.#options.keys.consumers(queue), this.#instance);
  }

  /** Renews no more; what is held is recovered by others when the lease has run out. */
  abandon(): void {
    this.#state = 'left';
    void this.#keeper.stop();
  }

  /** Ends the membership once nothing is held any more. False: something still is, recovery will see to it. */
  async leave(): Promise<boolean> {
    if (this.#state !== 'member') return true;
    this.#state = 'left';
    await this.#keeper.stop();
    const { redis, keys } = this.#options;
    const inboxes = this.#lists.map((list) => keys.inbox(this.#instance, list));
    const consumers = this.#queues.map((queue) => keys.consumers(queue));
    const gone = await redis.run(
      LEAVE,
      [
        keys.members,
        keys.member(this.#instance),
        keys.held(this.#instance),
        keys.aside(this.#instance),
        ...inboxes,
        ...consumers,
      ],
      [this.#instance, '', consumers.length],
    );
    return gone === 1;
  }

  async #join(): Promise<void> {
    const { redis, keys, nodename, leaseSeconds } = this.#options;
    const askedAtMs = Date.now();
    await redis.run(
      JOIN,
      [keys.members, keys.member(this.#instance), ...this.#queues.map((queue) => keys.consumers(queue))],
      [
        this.#instance,
        Math.ceil(leaseSeconds),
        DEAD_MEMBER_TTL,
        ...['node', nodename, 'pid', process.pid],
        ...['queues', JSON.stringify(this.#queues), 'lists', JSON.stringify(this.#lists)],
      ],
    );
    this.#keeper.confirm(askedAtMs);
  }

  async #rejoin(): Promise<void> {
    if (this.#state !== 'member') return;
    const { logger, onRejoined } = this.#options;
    this.#instance = uuidv7();
    this.#keeper.confirm(0);
    logger.warn(
      'The lease of this worker ran out and others recovered what it held (was the process stopped?); joining anew',
    );
    try {
      await this.#join();
    } catch (error) {
      // The keeper reports the missing membership again at its next renewal.
      logger.error('Could not join anew', { error });
    }
    this.#keeper.update(this.#leaseKeys());
    onRejoined(this.#instance);
  }

  #leaseKeys(): { instance: string; held: string; member: string; consumers: string[] } {
    const { keys } = this.#options;
    return {
      instance: this.#instance,
      held: keys.held(this.#instance),
      member: keys.member(this.#instance),
      consumers: this.#queues.map((queue) => keys.consumers(queue)),
    };
  }
}
