/**
 * What one instance holds in kombu's `unacked`: the verbs that end a hold. Every one passes the fence of
 * scripts/settle.ts; calls made in one turn of the event loop share one round trip.
 */
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import { Batcher } from '../util/batcher.ts';
import { AnsweredCalls } from './answered-calls.ts';
import type { EntryReader } from './entries.ts';
import type { BrokerKeys } from './keys.ts';
import { ACK, PARK, PUT_BACK, QUARANTINE } from './scripts/settle.ts';

export interface UnackedOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly entries: EntryReader;
  readonly logger: Logger;
  readonly instance: string;
  /** Approximate cap of the quarantine stream. */
  readonly quarantineMaxLength: number;
  /** Redis has answered a verb that ended a hold; `ours` is false when the lease had been lost. */
  readonly onEnded: (field: string, ours: boolean) => void;
}

interface Parking {
  readonly field: string;
  readonly queue: string;
  readonly etaSeconds: number;
}

/** Fields of one Lua call; more would run into Lua's limit on unpacked values and hold Redis up. */
const MAX_BATCH = 500;

export class Unacked {
  readonly instance: string;
  readonly #calls: AnsweredCalls;
  readonly #keys: BrokerKeys;
  readonly #entries: EntryReader;
  readonly #heldKey: string;
  readonly #quarantineMaxLength: number;
  readonly #onEnded: (field: string, ours: boolean) => void;
  readonly #acks: Batcher<string, boolean>;
  readonly #parkings: Batcher<Parking, boolean>;
  #parking = 0;

  constructor({ redis, keys, entries, logger, instance, quarantineMaxLength, onEnded }: UnackedOptions) {
    this.#onEnded = onEnded;
    this.instance = instance;
    this.#calls = new AnsweredCalls({ redis, keys, logger, instance });
    this.#keys = keys;
    this.#entries = entries;
    this.#heldKey = keys.held(instance);
    this.#quarantineMaxLength = quarantineMaxLength;
    this.#acks = new Batcher({ maxItems: MAX_BATCH, run: (fields) => this.#ackAll(fields) });
    this.#parkings = new Batcher({ maxItems: MAX_BATCH, run: (parkings) => this.#parkAll(parkings) });
  }

  /** Ends the hold and forgets the message. False: the lease was lost, somebody else holds it by now. */
  ack(field: string): Promise<boolean> {
    return this.#acks.add(field);
  }

  /** How many messages are on their way into the schedule. */
  get parking(): number {
    return this.#parking;
  }

  /** Hands the message to the schedule of `queue` until `etaSeconds` (unix time). False: the lease was lost. */
  async park(field: string, queue: string, etaSeconds: number): Promise<boolean> {
    this.#parking += 1;
    try {
      return await this.#parkings.add({ field, queue, etaSeconds });
    } finally {
      this.#parking -= 1;
    }
  }

  /** Keeps the message's bytes in the quarantine. False: the lease was lost. */
  async quarantine(field: string, queue: string, reason: string): Promise<boolean> {
    const { unacked, unackedIndex, quarantine } = this.#keys;
    const lost = await this.#calls.run(
      QUARANTINE,
      [unacked, unackedIndex, this.#heldKey, quarantine],
      [this.#quarantineMaxLength, this.instance, field, queue, `, "", ${JSON.stringify(queue)}]`, reason],
    );
    const ours = (lost as number[]).length === 0;
    this.#onEnded(field, ours);
    return ours;
  }

  /** Puts one message at the back of its queue, marked as redelivered. False: the lease was lost. */
  async requeue(field: string): Promise<boolean> {
    const ours = (await this.#return([field], 'LPUSH')) === 1;
    this.#onEnded(field, ours);
    return ours;
  }

  /**
   * Puts messages back at the front of their queues, marked as redelivered; `fields` in the order they came, and the
   * first is consumed first again. Returns how many were still ours.
   */
  async putBack(fields: readonly string[]): Promise<number> {
    let count = 0;
    for (let end = fields.length; end > 0; end -= MAX_BATCH) {
      count += await this.#return(fields.slice(Math.max(0, end - MAX_BATCH), end).reverse(), 'RPUSH');
    }
    return count;
  }

  /** Waits until what was asked for has been answered. */
  async idle(): Promise<void> {
    await this.#acks.idle();
    await this.#parkings.idle();
  }

  /** The connection is about to be closed: what Redis did not take so far is left to whoever recovers it. */
  close(): void {
    this.#calls.close();
  }

  async #return(fields: string[], push: 'LPUSH' | 'RPUSH'): Promise<number> {
    const { unacked, unackedIndex, members } = this.#keys;
    const { restorable } = await this.#calls.persist('read', () => this.#entries.read(fields));
    if (restorable.length === 0) return 0;
    const args = restorable.flatMap(({ field, lists, message }) => [field, lists[0] as string, message]);
    const reply = await this.#calls.run(PUT_BACK, [unacked, unackedIndex, this.#heldKey, members], [push, '', ...args]);
    return (reply as [number, number])[0];
  }

  async #ackAll(fields: string[]): Promise<boolean[]> {
    const { unacked, unackedIndex } = this.#keys;
    const lost = await this.#calls.run(ACK, [unacked, unackedIndex, this.#heldKey], fields);
    return this.#outcomes(fields, lost);
  }

  async #parkAll(parkings: Parking[]): Promise<boolean[]> {
    const queues = [...new Set(parkings.map((parking) => parking.queue))];
    const args = parkings.flatMap(({ field, queue, etaSeconds }) => [
      field,
      scoreText(etaSeconds),
      queues.indexOf(queue) + 1,
    ]);
    const keys = [this.#keys.unackedIndex, this.#heldKey, ...queues.map((queue) => this.#keys.parked(queue))];
    const lost = await this.#calls.run(PARK, keys, args);
    return this.#outcomes(
      parkings.map((parking) => parking.field),
      lost,
    );
  }

  /** Per field whether it was ours; `lost` are the numbers, from 1, of those that were not. */
  #outcomes(fields: readonly string[], lost: unknown): boolean[] {
    const ours = new Array<boolean>(fields.length).fill(true);
    for (const number of lost as number[]) ours[number - 1] = false;
    for (let i = 0; i < fields.length; i += 1) this.#onEnded(fields[i] as string, ours[i] as boolean);
    return ours;
  }
}

/** The same text goes into both sorted sets, so that the fence compares equal doubles. */
function scoreText(seconds: number): string {
  return seconds.toFixed(6);
}
