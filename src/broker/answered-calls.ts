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
import { sleep } from '../util/sleep.ts';
import type { BrokerKeys } from './keys.ts';
import { explainRefusal } from './refusals.ts';

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
  /** Places of answers that nobody waits for any more. */
  readonly #freePlaces: number[] = [];
  #places = 0;
  #calls = 0;

  constructor(options: AnsweredCallsOptions) {
    this.#options = options;
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

  /** Tries until Redis answers. Rejects when it refuses for a reason that no waiting mends, or after close(). */
  async persist<T>(what: string, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        const mayHeal =
          error instanceof BrokerConnectionError || (error instanceof RedisReplyError && heals(error.reply));
        if (this.#closed.signal.aborted || !mayHeal) throw error;
        const pauseMs = backoffMs(PAUSES, attempt);
        const { logger, keys } = this.#options;
        logger.error(
          `Redis did not take "${what}": ${explainRefusal(error, keys)}. Trying again in ${(pauseMs / 1000).toFixed(1)} s`,
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
