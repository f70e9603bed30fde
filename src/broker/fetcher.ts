/**
 * Takes messages while there is demand, in one loop: due ones from the schedule, then a batch from the queues, and waits
 * when there is nothing. `#loop` never runs twice at once, so nothing below `run` interleaves with itself.
 *
 * After an outage it adopts what its instance holds in Redis and nobody here knows: the reply of a take may have been
 * lost, and what it held would else stay held for as long as this process lives.
 */
import type { Logger } from '../log.ts';
import { parseEntry } from '../protocol/redelivery.ts';
import type { RedisPort } from '../redis/port.ts';
import { LastingTrouble } from '../util/lasting-trouble.ts';
import { Nudge } from '../util/nudge.ts';
import { sleep } from '../util/sleep.ts';
import { AsideCheck } from './aside-check.ts';
import { BlockingWaits, popMs } from './blocking-waits.ts';
import { Delivery } from './delivery.ts';
import type { BrokerKeys } from './keys.ts';
import { explainRefusal, kindOf } from './refusals.ts';
import { GIVE_BACK } from './scripts/aside.ts';
import { DUE } from './scripts/due.ts';
import { TAKE } from './scripts/take.ts';
import type { Sources } from './sources.ts';
import type { Unacked } from './unacked.ts';

/** What the worker can take: slots free now, how many more it may hold ahead of them, how many it holds ahead. */
export interface Demand {
  readonly free: number;
  readonly room: number;
  readonly ahead: number;
}

export interface FetcherOptions {
  readonly redis: RedisPort;
  readonly openBlocking: () => RedisPort;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly sources: Sources;
  readonly demand: () => Demand;
  /** Receives every batch; must not throw. */
  readonly deliver: (deliveries: Delivery[]) => void;
  readonly maxBytesPerTake: number;
  readonly maxMessageBytes: number;
  readonly quarantineMaxLength: number;
}

/** Envelopes larger than this are judged in JavaScript: decoding them in Lua would hold Redis up. */
const JUDGE_BYTES = 65_536;
/** One call never takes more, whatever the prefetch. */
const MAX_BATCH = 1000;
/** Parked messages of other members' making are looked for at least this often. */
const SCHEDULE_POLL_MS = 5000;

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #nudge = new Nudge();
  readonly #waits: BlockingWaits;
  readonly #aside: AsideCheck;
  /** What is held and not yet known to be settled, by field. */
  readonly #inHand = new Map<string, Delivery>();
  readonly #wrongType = new Set<string>();
  readonly #trouble: LastingTrouble;
  readonly #inboxOf = (list: string): string => this.#options.keys.inbox(this.#unacked.instance, list);
  #unacked: Unacked;
  #served = 1;
  #dueAt = 0;
  #mustReconcile = true;
  /** True while the loop waits for demand. */
  #isSated = false;
  readonly #stop = new AbortController();
  #done: Promise<void> | undefined;

  constructor(options: FetcherOptions, unacked: Unacked) {
    this.#options = options;
    this.#unacked = unacked;
    this.#trouble = new LastingTrouble(options.logger);
    const { redis, keys, logger, openBlocking, maxMessageBytes, quarantineMaxLength } = options;
    this.#waits = new BlockingWaits({
      logger,
      inboxOf: this.#inboxOf,
      mayPop: () => options.demand().free > 0,
      open: openBlocking,
      commands: redis,
      nudge: this.#nudge,
    });
    this.#aside = new AsideCheck({ redis, keys, logger, maxMessageBytes, quarantineMaxLength });
    redis.on('ready', () => {
      this.#mustReconcile = true;
      this.#nudge.give();
    });
  }

  start(): void {
    this.#done ??= this.#loop();
  }

  /** Demand may have changed. Idle waiting goes on: it only ends when something lands. */
  changed(): void {
    if (this.#isSated) this.#nudge.give();
  }

  /** Something may lie in the queues that no blocking pop sees. */
  look(): void {
    this.#nudge.give();
  }

  /** The process joined anew: what it takes from now on is held under another instance. */
  rejoined(unacked: Unacked): void {
    this.#unacked = unacked;
    // Nobody looks after the inboxes of the old instance but us.
    void this.#waits.unblock();
    this.#mustReconcile = true;
    this.#nudge.give();
  }

  /** A message was parked here: be awake when it is due. */
  noteParked(etaSeconds: number): void {
    const at = etaSeconds * 1000;
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#nudge.give();
  }

  /** Redis has answered the verb that ended a hold of `instance`. */
  forget(field: string, instance: string): void {
    if (this.#inHand.get(field)?.instance === instance) this.#inHand.delete(field);
  }

  /** Ends the loop; what blocking pops brought meanwhile goes back. Settles when nothing more can be delivered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#nudge.give();
    await this.#done;
    await this.#waits.close();
    await this.#giveBack(this.#inboxes());
  }

  /** Ends at once; whatever was being taken is recovered by others. */
  destroy(): void {
    this.#stop.abort();
    this.#nudge.give();
    this.#waits.destroy();
  }

  async #loop(): Promise<void> {
    let failures = 0;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#turn();
        failures = 0;
        this.#trouble.over((seconds) => `Messages can be taken again, after ${seconds} s`);
      } catch (error) {
        failures += 1;
        const pause = Math.min(30, 0.5 * 2 ** Math.min(failures, 6)) * (0.75 + Math.random() / 2);
        const reason = explainRefusal(error, this.#options.keys);
        this.#trouble.met(kindOf(error), `Cannot take messages: ${reason}. Trying again in ${pause.toFixed(1)} s`);
        this.#mustReconcile = true;
        await sleep(pause * 1000, signal);
      }
    }
  }

  async #turn(): Promise<void> {
    if (this.#mustReconcile) await this.#reconcile();
    const demand = this.#options.demand();
    if (demand.free <= 0 && this.#waits.landed.size > 0) await this.#giveBack([...this.#waits.landed]);
    if (demand.free <= 0 && demand.room <= 0) {
      await this.#waitForDemand();
      return;
    }
    if (demand.free > 0 && Date.now() >= this.#dueAt && (await this.#takeDue(demand.free)) > 0) return;
    const taken = await this.#take(demand);
    // Fewer than there are slots for: the queues are empty.
    if (taken < demand.free) {
      const { sources } = this.#options;
      const watched = sources.watched();
      // Lists that nothing blocks on must be looked at.
      const longestMs = watched.length === sources.lists.length ? Infinity : popMs();
      await this.#waits.wait(watched, Math.min(this.#dueAt - Date.now(), longestMs), demand.free - taken);
    } else if (taken === 0) {
      // Only room to look ahead, and the queue is not long: something must change first.
      await this.#waitForDemand(1000);
    }
  }

  async #waitForDemand(ms?: number): Promise<void> {
    this.#isSated = true;
    await this.#nudge.wait(ms);
    this.#isSated = false;
  }

  async #take(demand: Demand): Promise<number> {
    const { redis, keys, sources, maxBytesPerTake } = this.#options;
    const { instance } = this.#unacked;
    const landed = await this.#ownLanded();
    const lists = sources.withInboxes(landed);
    const reply = await redis.run(
      TAKE,
      [keys.unacked, keys.unackedIndex, keys.held(instance), keys.aside(instance), ...lists.keys],
      [
        Math.min(demand.free, MAX_BATCH),
        Math.min(demand.room, MAX_BATCH),
        demand.ahead,
        maxBytesPerTake,
        JUDGE_BYTES,
        this.#served,
        lists.width,
        keys.inbox(instance, ''),
        ...lists.queuesJson,
      ],
    );
    const [setAside, served, wrong, taken] = reply as [number, number, number[], (string | number)[]];
    this.#served = served;
    if (wrong.length > 0 || this.#wrongType.size > 0)
      this.#reportWrongTypes(wrong.map((n) => lists.keys[n - 1] as string));
    const deliveries: Delivery[] = [];
    for (let i = 0; i < taken.length; i += 3) {
      const number = taken[i] as number;
      const list = lists.keys[number - 1] as string;
      sources.seen(list);
      deliveries.push(
        this.#receive(taken[i + 1] as string, lists.queues[number - 1] as string, taken[i + 2] as string),
      );
    }
    if (deliveries.length > 0) this.#options.deliver(deliveries);
    // More landed than there are slots: nobody saw these, they go back unmarked.
    if (landed.length > demand.free) await this.#giveBack(landed);
    return deliveries.length + (setAside > 0 ? await this.#admit() : 0);
  }

  /** Inboxes to take from. What landed in one of an earlier instance goes back to its list: it is not ours to hold. */
  async #ownLanded(): Promise<[inbox: string, list: string][]> {
    const own: [inbox: string, list: string][] = [];
    const others: [inbox: string, list: string][] = [];
    for (const pair of this.#waits.landed) (pair[0] === this.#inboxOf(pair[1]) ? own : others).push(pair);
    this.#waits.landed.clear();
    if (others.length > 0) await this.#giveBack(others);
    return own;
  }

  /** The full check of what Lua set aside. */
  async #admit(): Promise<number> {
    const admitted = await this.#aside.run(this.#unacked.instance, (list) => this.#options.sources.queueOf(list));
    const deliveries = admitted.map(({ field, queue, raw }) => this.#receive(field, queue, raw));
    if (deliveries.length > 0) this.#options.deliver(deliveries);
    return deliveries.length;
  }

  async #takeDue(limit: number): Promise<number> {
    const { redis, keys, sources } = this.#options;
    const { queues } = sources;
    const reply = await redis.run(
      DUE,
      [
        keys.unacked,
        keys.unackedIndex,
        keys.held(this.#unacked.instance),
        ...queues.map((queue) => keys.parked(queue)),
      ],
      [Math.min(limit, MAX_BATCH)],
    );
    const [seconds, taken] = reply as [string, (string | number)[]];
    const next = seconds === '' ? SCHEDULE_POLL_MS : Math.max(0, Number(seconds) * 1000);
    this.#dueAt = Date.now() + Math.min(next, SCHEDULE_POLL_MS);
    const deliveries: Delivery[] = [];
    for (let i = 0; i < taken.length; i += 3) {
      const { raw } = parseEntry(taken[i + 2] as string);
      deliveries.push(this.#receive(taken[i + 1] as string, queues[(taken[i] as number) - 1] as string, raw, true));
    }
    if (deliveries.length > 0) this.#options.deliver(deliveries);
    return deliveries.length;
  }

  /** Makes what the instance holds in Redis and what is held here the same. */
  async #reconcile(): Promise<void> {
    const { redis, keys, logger } = this.#options;
    this.#mustReconcile = false;
    const { instance } = this.#unacked;
    await this.#giveBack(this.#inboxes());
    const fields = (await redis.command('ZRANGE', keys.held(instance), 0, -1)) as string[];
    const unknown = fields.filter((field) => this.#inHand.get(field)?.instance !== instance);
    if (unknown.length > 0) {
      const entries = (await redis.command('HMGET', keys.unacked, ...unknown)) as (string | null)[];
      const deliveries = unknown.flatMap((field, i) => {
        const entry = entries[i];
        if (entry === null || entry === undefined) return [];
        const { raw, routingKey } = parseEntry(entry);
        return [this.#receive(field, routingKey, raw)];
      });
      logger.info(`Adopted ${deliveries.length} message(s) taken just before the connection was lost`);
      if (deliveries.length > 0) this.#options.deliver(deliveries);
    }
    await this.#admit();
  }

  #receive(field: string, queue: string, raw: string, isDue = false): Delivery {
    const delivery = new Delivery(this.#unacked, field, queue, raw, isDue);
    this.#inHand.set(field, delivery);
    return delivery;
  }

  /** Every inbox of ours that may hold something, those of an earlier instance included. */
  #inboxes(): [inbox: string, list: string][] {
    const own = this.#options.sources.lists.map((list): [string, string] => [this.#inboxOf(list), list]);
    return [...new Map([...own, ...this.#waits.landed])];
  }

  async #giveBack(inboxes: readonly (readonly [inbox: string, list: string])[]): Promise<void> {
    for (const [inbox] of inboxes) this.#waits.landed.delete(inbox);
    if (inboxes.length > 0) await this.#options.redis.run(GIVE_BACK, inboxes.flat(), []);
  }

  #reportWrongTypes(lists: readonly string[]): void {
    for (const list of lists) {
      if (this.#wrongType.has(list)) continue;
      this.#options.logger.error(
        `The key ${JSON.stringify(list)} of a queue holds something that is no list: nothing is consumed from it. Rename or delete that key, or consume another queue`,
      );
    }
    this.#wrongType.clear();
    for (const list of lists) this.#wrongType.add(list);
  }
}
