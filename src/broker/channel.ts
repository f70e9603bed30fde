/**
 * A consuming process' side of the broker: connection, membership, fetching, recovery and sweeps, started and stopped as
 * one. Counterpart: kombu's Channel with its QoS (transport/redis.py, 5.6).
 *
 *   new -start()-> consuming -stopTaking()-> drained -leave()-> left
 */
import type { Logger } from '../log.ts';
import { openRedis } from '../redis/connection.ts';
import { untiring, type RedisOptions } from '../redis/options.ts';
import type { RedisPort } from '../redis/port.ts';
import { requireServer } from '../redis/server-info.ts';
import { openSubscriber } from '../redis/subscriber.ts';
import type { RedisTarget } from '../redis/url.ts';
import { Bindings } from './bindings.ts';
import { LONGEST_POP_MS } from './blocking-waits.ts';
import { Chores } from './chores.ts';
import { logConnection } from './connection-log.ts';
import type { Delivery } from './delivery.ts';
import { EntryReader } from './entries.ts';
import { FanoutConsumer, isBroadcastQueue } from './fanout-consumer.ts';
import type { FanoutChannels } from './fanout.ts';
import { Fetcher, type Demand } from './fetcher.ts';
import type { BrokerKeys } from './keys.ts';
import { Membership } from './membership.ts';
import type { ExchangeType, QueueDeclaration } from './queue.ts';
import { Recovery } from './recovery.ts';
import { Schedule } from './schedule.ts';
import { Sources, type QueueOrderStrategy } from './sources.ts';
import { Unacked } from './unacked.ts';
import { VisibilitySweep } from './visibility-sweep.ts';

export interface ChannelOptions {
  readonly target: RedisTarget;
  readonly connection: RedisOptions;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly nodename: string;
  /** What to consume. */
  readonly queues: readonly QueueDeclaration[];
  /** Types of further exchanges, for restoring what others sent through them. */
  readonly exchangeTypes?: ReadonlyMap<string, ExchangeType>;
  readonly fanout: FanoutChannels;
  readonly deadletterQueue?: string | undefined;
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
  /** The connection was lost and is not made again, as the settings say; nothing more is delivered. */
  readonly onGaveUp?: (error: Error) => void;
}

/** Bytes after which one call pops no more. */
const MAX_BYTES_PER_TAKE = 8_388_608;
/** Messages for later take no slot: what bounds them is that no more are taken while so many are being parked. */
const MAX_PARKING = 1000;
const NO_DEMAND: Demand = { free: 0, room: 0, ahead: 0 };

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
  readonly #ending = new AbortController();
  readonly #chores: Chores;
  /** Where fanout queues are consumed. */
  readonly #fanout: FanoutConsumer | undefined;
  #fetcher: Fetcher | undefined;
  #unacked: Unacked;
  #choresDone: Promise<unknown> = Promise.resolve();
  #outageEndedAt = 0;
  /** Redis takes no renewal of leases: ours is no worse off than those of the others. */
  #isRenewalFailing = false;

  constructor(options: ChannelOptions) {
    const { target, connection, keys, logger, queues, prioritySteps } = options;
    this.#options = options;
    this.redis = openRedis(target, connection);
    logConnection(this.redis, logger, connection.maxRetries ?? null);
    this.#chores = new Chores({ keys, logger, signal: this.#ending.signal });
    this.bindings = new Bindings(this.redis, keys, options.exchangeTypes);
    this.#entries = new EntryReader(this.redis, keys, this.bindings, prioritySteps, options.deadletterQueue);
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
      onSure: () => this.#fetcher?.changed(),
      onRenewal: (isFailing) => {
        this.#isRenewalFailing = isFailing;
        if (!isFailing) this.#outageEndedAt = Date.now();
      },
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
    this.#fanout = this.#createFanout();
  }

  get queues(): readonly string[] {
    return this.#sources.queues;
  }

  /** Connects, joins and begins to deliver. Rejects when the server is unfit or can't be reached as configured. */
  async start(): Promise<void> {
    const { queues, recoveryIntervalSeconds, unackedRestoreIntervalSeconds, onGaveUp } = this.#options;
    await this.redis.connect();
    await requireServer(this.redis);
    await this.#chores.patiently('Joining', () => this.#membership.join(this.#sources.queues, this.#sources.lists));
    await this.#chores.patiently('Declaring queues', () =>
      Promise.all(queues.map((queue) => this.bindings.declare(queue))),
    );
    await this.#fanout?.start();
    this.redis.on('ready', () => this.#afterOutage());
    if (onGaveUp !== undefined) this.redis.on('gaveUp', onGaveUp);
    this.#fetcher = this.#createFetcher();
    this.#fetcher.start();
    this.#choresDone = Promise.all([
      this.#chores.regularly('Recovery', recoveryIntervalSeconds, () => this.#recover()),
      this.#chores.regularly('Visibility sweep', unackedRestoreIntervalSeconds, () => this.#sweepNow()),
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
    this.#ending.abort();
    await this.#fanout?.stop();
    await this.#fetcher?.stop();
    await this.#choresDone;
  }

  /** Puts deliveries back at the front of their queues, in their order; broadcasts are dropped. Returns how many went back. */
  async putBack(deliveries: readonly Delivery[]): Promise<number> {
    this.#fanout?.drop(deliveries.filter((delivery) => this.#fanout?.isOwn(delivery)));
    const own = deliveries.filter((delivery) => delivery.instance === this.#unacked.instance);
    return this.#unacked.putBack(own.map((delivery) => delivery.release()));
  }

  /** Settles acks under way, hands parked messages back where nobody else will, ends the membership, disconnects. */
  async leave(): Promise<void> {
    const { logger } = this.#options;
    const { instance, isMember } = this.#membership;
    if (!isMember) {
      this.destroy();
      return;
    }
    await this.#unacked.idle();
    const gone = await this.#membership.leave();
    if (!gone) logger.warn('Some messages are still held; another worker recovers them when the lease has run out');
    for (const queue of this.queues) {
      const count = await this.#schedule.handBack(queue, instance);
      if (count > 0)
        logger.info(`Handed ${count} parked message(s) back to queue "${queue}": no other celeriac worker consumes it`);
    }
    await this.#removeOwnQueues();
    this.#unacked.close();
    await this.redis.close();
  }

  /** Ends at once; what is held is recovered by others. */
  destroy(): void {
    this.#ending.abort();
    this.#fetcher?.destroy();
    this.#membership.abandon();
    this.#fanout?.destroy();
    this.#unacked.close();
    this.redis.destroy();
  }

  /** What came from the lists; copies of broadcasts among it, as Celery's clients leave them there, are no longer held. */
  #deliver(deliveries: Delivery[]): void {
    const fanout = this.#fanout;
    if (fanout === undefined) {
      this.#options.deliver(deliveries);
      return;
    }
    const stored = deliveries.filter(({ queue }) => !fanout.has(queue));
    if (stored.length > 0) this.#options.deliver(stored);
    for (const delivery of deliveries) {
      if (fanout.has(delivery.queue))
        void this.#chores.once('Taking a broadcast over', () => this.#adopt(fanout, delivery));
    }
  }

  async #adopt(fanout: FanoutConsumer, delivery: Delivery): Promise<void> {
    if (await delivery.ack()) fanout.adopt(delivery.queue, delivery.raw);
  }

  /** As kombu does when it closes a channel: fanout queues that go with their consumer. */
  async #removeOwnQueues(): Promise<void> {
    const { queues, keys, prioritySteps } = this.#options;
    for (const queue of queues) {
      if (!isBroadcastQueue(queue) || queue.isAutoDelete !== true) continue;
      await this.bindings.remove(queue);
      await this.redis.command('DEL', ...prioritySteps.map((step) => keys.list(queue.name, step)));
    }
  }

  async #recover(): Promise<void> {
    // After an outage every lease has run out: give the others the time of one to renew theirs.
    if (this.#isRenewalFailing || Date.now() - this.#outageEndedAt < this.#options.leaseSeconds * 1000) return;
    if ((await this.#recovery.current.run()) > 0) this.#fetcher?.look();
  }

  async #sweepNow(): Promise<void> {
    const restored = await this.#sweep.run();
    if (restored === 0) return;
    this.#options.logger.info(`Restored ${restored} message(s) whose visibility timeout had passed`);
    this.#fetcher?.look();
  }

  #afterOutage(): void {
    this.#outageEndedAt = Date.now();
    for (const queue of this.#options.queues) {
      void this.#chores.once('Declaring queues', () => this.bindings.declare(queue));
    }
  }

  #rejoined(): void {
    // Whatever the old instance held is fenced, or gone with it.
    this.#unacked.close();
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
      logger,
      instance,
      quarantineMaxLength,
      onEnded: (field, ours) => {
        this.#fetcher?.forget(field, instance);
        this.#fetcher?.changed();
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
      handBackParked: (queue) => this.#schedule.handBack(queue),
    });
  }

  #createFanout(): FanoutConsumer | undefined {
    const { queues, target, connection, keys, fanout, logger, maxMessageBytes, quarantineMaxLength } = this.#options;
    const own = queues.filter(isBroadcastQueue);
    if (own.length === 0) return undefined;
    return new FanoutConsumer({
      queues: own,
      subscriber: openSubscriber(target, untiring(connection)),
      redis: this.redis,
      keys,
      channels: fanout,
      logger,
      maxMessageBytes,
      quarantineMaxLength,
      deliver: this.#options.deliver,
    });
  }

  #createFetcher(): Fetcher {
    const { target, connection, keys, logger, demand, maxMessageBytes, quarantineMaxLength } = this.#options;
    return new Fetcher(
      {
        redis: this.redis,
        openBlocking: () =>
          openRedis(target, { ...untiring(connection), resend: false, longestBlockMs: LONGEST_POP_MS }),
        keys,
        logger,
        sources: this.#sources,
        demand: () => (this.#membership.isSure && this.#unacked.parking < MAX_PARKING ? demand() : NO_DEMAND),
        deliver: (deliveries) => this.#deliver(deliveries),
        maxBytesPerTake: MAX_BYTES_PER_TAKE,
        maxMessageBytes,
        quarantineMaxLength,
      },
      this.#unacked,
    );
  }
}
