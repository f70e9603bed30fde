/**
 * A consuming process' side of the broker: connection, membership, fetching, recovery and sweeps, started and stopped as
 * one. Counterpart: kombu's Channel with its QoS (transport/redis.py, 5.6).
 *
 *   new -start()-> consuming -stopTaking()-> drained -leave()-> left
 */
import type { Logger } from '../log.ts';
import { openRedis } from '../redis/connection.ts';
import type { RedisOptions } from '../redis/options.ts';
import type { RedisPort } from '../redis/port.ts';
import { requireServer } from '../redis/server-info.ts';
import type { RedisTarget } from '../redis/url.ts';
import { periodic } from '../util/periodic.ts';
import { Bindings, type ExchangeType } from './bindings.ts';
import { LONGEST_WAIT_MS } from './blocking-waits.ts';
import type { Delivery } from './delivery.ts';
import { EntryReader } from './entries.ts';
import { Fetcher, type Demand } from './fetcher.ts';
import type { BrokerKeys } from './keys.ts';
import { Membership } from './membership.ts';
import { Recovery } from './recovery.ts';
import { explainRefusal } from './refusals.ts';
import { Schedule } from './schedule.ts';
import { Sources, type QueueOrderStrategy } from './sources.ts';
import { Unacked } from './unacked.ts';
import { VisibilitySweep } from './visibility-sweep.ts';

export interface QueueDeclaration {
  readonly name: string;
  readonly exchange: string;
  readonly exchangeType: ExchangeType;
  readonly routingKey: string;
}

export interface ChannelOptions {
  readonly target: RedisTarget;
  readonly connection: RedisOptions;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly nodename: string;
  readonly queues: readonly QueueDeclaration[];
  readonly prioritySteps: readonly number[];
  readonly queueOrderStrategy: QueueOrderStrategy;
  readonly leaseSeconds: number;
  readonly recoveryIntervalSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  readonly unackedMutexExpireSeconds: number;
  readonly unackedRestoreLimit: number | null;
  readonly unackedRestoreIntervalSeconds: number;
  readonly loopBlockLimitSeconds: number;
  readonly maxMessageBytes: number;
  readonly quarantineMaxLength: number;
  readonly demand: () => Demand;
  readonly deliver: (deliveries: Delivery[]) => void;
}

/** Bytes after which one call pops no more. */
const MAX_BYTES_PER_TAKE = 8_388_608;

export class Channel {
  readonly redis: RedisPort;
  readonly bindings: Bindings;
  readonly #options: ChannelOptions;
  readonly #entries: EntryReader;
  readonly #membership: Membership;
  readonly #sources: Sources;
  readonly #recovery: { current: Recovery };
  readonly #sweep: VisibilitySweep;
  readonly #schedule: Schedule;
  readonly #chores = new AbortController();
  #fetcher: Fetcher | undefined;
  #unacked: Unacked;
  #choresDone: Promise<unknown> = Promise.resolve();
  #outageEndedAt = 0;

  constructor(options: ChannelOptions) {
    const { target, connection, keys, logger, queues, prioritySteps } = options;
    this.#options = options;
    this.redis = openRedis(target, connection);
    const types = new Map(queues.map((queue) => [queue.exchange, queue.exchangeType]));
    this.bindings = new Bindings(this.redis, keys, types);
    this.#entries = new EntryReader(this.redis, keys, this.bindings, prioritySteps);
    this.#sources = new Sources(
      keys,
      prioritySteps,
      options.queueOrderStrategy,
      queues.map((queue) => queue.name),
    );
    this.#membership = new Membership({
      redis: this.redis,
      keys,
      logger,
      nodename: options.nodename,
      leaseSeconds: options.leaseSeconds,
      visibilityTimeoutSeconds: options.visibilityTimeoutSeconds,
      loopBlockLimitSeconds: options.loopBlockLimitSeconds,
      connection: { target, options: connection },
      onRejoined: () => this.#rejoined(),
      onLost: (fields) =>
        logger.warn(`Lease lost: ${fields.length} message(s) held here were restored by somebody else`),
    });
    this.#unacked = this.#createUnacked();
    this.#recovery = { current: this.#createRecovery() };
    const { visibilityTimeoutSeconds, unackedMutexExpireSeconds, unackedRestoreLimit, quarantineMaxLength } = options;
    this.#sweep = new VisibilitySweep({
      redis: this.redis,
      keys,
      entries: this.#entries,
      logger,
      visibilityTimeoutSeconds,
      mutexExpireSeconds: unackedMutexExpireSeconds,
      limit: unackedRestoreLimit,
      quarantineMaxLength,
    });
    this.#schedule = new Schedule(this.redis, keys, this.#entries);
  }

  get queues(): readonly string[] {
    return this.#sources.queues;
  }

  /** Connects, joins and begins to deliver. Rejects when the server is unfit or can't be reached as configured. */
  async start(): Promise<void> {
    const { queues, logger, keys } = this.#options;
    await this.redis.connect();
    await requireServer(this.redis);
    try {
      await this.#membership.join(this.#sources.queues, this.#sources.lists);
    } catch (error) {
      throw new Error(explainRefusal(error, keys), { cause: error });
    }
    await Promise.all(queues.map((queue) => this.bindings.declare(queue.name, queue.exchange, queue.routingKey)));
    this.redis.on('ready', () => this.#afterOutage());
    this.#fetcher = this.#createFetcher();
    this.#fetcher.start();
    const chore = (what: string, seconds: number, run: () => Promise<unknown>): Promise<void> =>
      periodic(seconds, this.#chores.signal, run, (error) =>
        logger.error(`${what} failed: ${explainRefusal(error, keys)}`),
      );
    this.#choresDone = Promise.all([
      this.#chore('Recovery', () => this.#recover()).then(() =>
        chore('Recovery', this.#options.recoveryIntervalSeconds, () => this.#recover()),
      ),
      this.#chore('Visibility sweep', () => this.#sweepNow()).then(() =>
        chore('Visibility sweep', this.#options.unackedRestoreIntervalSeconds, () => this.#sweepNow()),
      ),
    ]);
  }

  /** Demand may have changed. */
  changed(): void {
    this.#fetcher?.changed();
  }

  noteParked(etaSeconds: number): void {
    this.#fetcher?.noteParked(etaSeconds);
  }

  /** Nothing is delivered any more once this settles. */
  async stopTaking(): Promise<void> {
    this.#chores.abort();
    await this.#fetcher?.stop();
    await this.#choresDone;
  }

  /** Puts deliveries back at the front of their queues, in their order. */
  async putBack(deliveries: readonly Delivery[]): Promise<number> {
    const own = deliveries.filter((delivery) => delivery.instance === this.#unacked.instance);
    return this.#unacked.putBack(own.map((delivery) => delivery.release()));
  }

  /** Settles acks under way, hands parked messages back where nobody else will, ends the membership, disconnects. */
  async leave(): Promise<void> {
    const { logger } = this.#options;
    const { instance } = this.#membership;
    await this.#unacked.idle();
    const gone = await this.#membership.leave();
    if (!gone) logger.warn('Some messages are still held; another worker recovers them when the lease has run out');
    for (const queue of this.queues) {
      const count = await this.#schedule.handBack(queue, instance);
      if (count > 0)
        logger.info(`Handed ${count} parked message(s) back to queue "${queue}": no other celeriac worker consumes it`);
    }
    await this.redis.close();
  }

  /** Ends at once; what is held is recovered by others. */
  destroy(): void {
    this.#chores.abort();
    this.redis.destroy();
  }

  async #recover(): Promise<void> {
    // After an outage every lease has run out: give the others the time of one to renew theirs.
    if (Date.now() - this.#outageEndedAt < this.#options.leaseSeconds * 1000) return;
    if ((await this.#recovery.current.run()) > 0) this.#fetcher?.look();
  }

  async #sweepNow(): Promise<void> {
    const restored = await this.#sweep.run();
    if (restored === 0) return;
    this.#options.logger.info(`Restored ${restored} message(s) whose visibility timeout had passed`);
    this.#fetcher?.look();
  }

  async #chore(what: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#options.logger.error(`${what} failed: ${explainRefusal(error, this.#options.keys)}`);
    }
  }

  #afterOutage(): void {
    this.#outageEndedAt = Date.now();
    for (const { name, exchange, routingKey } of this.#options.queues) {
      void this.#chore('Declaring queues', () => this.bindings.declare(name, exchange, routingKey));
    }
  }

  #rejoined(): void {
    this.#unacked = this.#createUnacked();
    this.#recovery.current = this.#createRecovery();
    this.#fetcher?.rejoined(this.#unacked);
  }

  #createUnacked(): Unacked {
    const { keys, quarantineMaxLength, logger } = this.#options;
    const { instance } = this.#membership;
    return new Unacked({
      redis: this.redis,
      keys,
      entries: this.#entries,
      instance,
      quarantineMaxLength,
      onEnded: (field, ours) => {
        this.#fetcher?.forget(field, instance);
        if (!ours) logger.warn(`Lease lost: message ${field} was restored by somebody else and is not touched`);
      },
    });
  }

  #createRecovery(): Recovery {
    const { keys, logger, quarantineMaxLength } = this.#options;
    return new Recovery({
      redis: this.redis,
      keys,
      entries: this.#entries,
      logger,
      instance: this.#membership.instance,
      quarantineMaxLength,
    });
  }

  #createFetcher(): Fetcher {
    const { target, connection, keys, logger, demand, deliver, maxMessageBytes, quarantineMaxLength } = this.#options;
    return new Fetcher(
      {
        redis: this.redis,
        openBlocking: () => openRedis(target, { ...connection, resend: false, longestBlockMs: LONGEST_WAIT_MS }),
        keys,
        logger,
        sources: this.#sources,
        demand,
        deliver,
        maxBytesPerTake: MAX_BYTES_PER_TAKE,
        maxMessageBytes,
        quarantineMaxLength,
      },
      this.#unacked,
    );
  }
}
