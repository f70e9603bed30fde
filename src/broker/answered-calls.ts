/**
 * Calls that end holds. Each is made until Redis has answered it, because a call given up halfway would leave a message
 * that is held for as long as this process lives, or acknowledged and never run; and each counts once, however often it
 * is sent (scripts/once.ts).
 */
import { BrokerConnectionError, RedisReplyError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RedisArgument, RedisPort, Script } from '../redis/port.ts';
import { heals } from '../redis/trouble.ts';
import { backoffMs, type BackoffPolicy } from '../util/backoff.ts';
import { LastingTrouble } from '../util/lasting-trouble.ts';
import { sleep } from '../util/sleep.ts';
import type { BrokerKeys } from './keys.ts';
import { explainRefusal, kindOf } from './refusals.ts';

export interface AnsweredCallsOptions {
  readonly redis: RedisPort;
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  readonly instance: string;
}

const PAUSES: BackoffPolicy = { startMs: 500, stepMs: 2000, maxMs: 30_000, jitter: 0.25 };

export class AnsweredCalls {
  readonly #options: AnsweredCallsOptions;
  readonly #record: string;
  readonly #closed = new AbortController();
  readonly #trouble: LastingTrouble;
  /** Places of answers that nobody waits for any more. */
  readonly #freePlaces: number[] = [];
  #places = 0;
  #calls = 0;

  constructor(options: AnsweredCallsOptions) {
    this.#options = options;
    this.#trouble = new LastingTrouble(options.logger);
    this.#record = options.keys.member(options.instance);
  }

  /** Runs a script that begins as scripts/once.ts says; `keys` and `args` are what follows. */
  async run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const place = this.#freePlaces.pop() ?? this.#places++;
    const call = [`answer:${place}`, (this.#calls += 1), ...args];
    try {
      return await this.persist(script.name, () => this.#options.redis.run(script, [this.#record, ...keys], call));
    } finally {
      this.#freePlaces.push(place);
    }
  }

  /** Tries until Redis answers. Rejects when it refuses because of a mistake of ours, or after close(). */
  async persist<T>(what: string, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await call();
        if (attempt > 1) this.#trouble.over((seconds) => `Redis takes "${what}" again, after ${seconds} s`);
        return answer;
      } catch (error) {
        if (this.#closed.signal.aborted || !isOfServer(error)) throw error;
        const pauseMs = backoffMs(PAUSES, attempt);
        const reason = explainRefusal(error, this.#options.keys);
        this.#trouble.met(
          kindOf(error),
          `Redis did not take "${what}": ${reason}. Trying again in ${(pauseMs / 1000).toFixed(1)} s`,
        );
        await sleep(pauseMs, this.#closed.signal);
      }
    }
  }

  /** The connection is about to be closed: nothing is tried again. */
  close(): void {
    this.#closed.abort();
  }
}

/** Away, unable to write for now, or set up so that it refuses us: all of it may be mended while we wait. */
const REFUSALS = new Set(['NOPERM', 'NOAUTH', 'WRONGTYPE']);

function isOfServer(error: unknown): boolean {
  if (error instanceof BrokerConnectionError) return true;
  return error instanceof RedisReplyError && (heals(error.reply) || REFUSALS.has(error.reply));
}
