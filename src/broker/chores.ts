/**
 * What a channel does beside taking messages, and how it goes about Redis' refusals: told once, with what to do, and
 * tried again.
 */
import { RedisReplyError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { DEFAULT_BACKOFF } from '../redis/options.ts';
import { heals } from '../redis/trouble.ts';
import { backoffMs } from '../util/backoff.ts';
import { LastingTrouble } from '../util/lasting-trouble.ts';
import { periodic } from '../util/periodic.ts';
import { sleep } from '../util/sleep.ts';
import type { BrokerKeys } from './keys.ts';
import { explainRefusal } from './refusals.ts';

export interface ChoresOptions {
  readonly keys: BrokerKeys;
  readonly logger: Logger;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

export class Chores {
  readonly #options: ChoresOptions;

  constructor(options: ChoresOptions) {
    this.#options = options;
  }

  /** Once; a failure is told and that is all. */
  async once(what: string, run: () => Promise<unknown>): Promise<void> {
    const { logger, keys } = this.#options;
    try {
      await run();
    } catch (error) {
      logger.error(`${what} failed: ${explainRefusal(error, keys)}`);
    }
  }

  /** At once, and then every so often until the signal fires. Never rejects. */
  async regularly(what: string, seconds: number, run: () => Promise<unknown>): Promise<void> {
    const { logger, keys, signal } = this.#options;
    const trouble = new LastingTrouble(logger);
    const report = (error: unknown): void => {
      const reason = explainRefusal(error, keys);
      trouble.met(reason, `${what} failed: ${reason}`);
    };
    const attempt = async (): Promise<void> => {
      await run();
      trouble.over((lasted) => `${what} works again, after ${lasted} s`);
    };
    await attempt().catch(report);
    await periodic(seconds, signal, attempt, report);
  }

  /** Until it is done, where Redis cannot write for now. What it refuses for good is thrown, with the reason. */
  async patiently(what: string, run: () => Promise<unknown>): Promise<void> {
    const { logger, keys, signal } = this.#options;
    const trouble = new LastingTrouble(logger);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await run();
        trouble.over((lasted) => `${what} works now, after ${lasted} s`);
        return;
      } catch (error) {
        if (!(error instanceof RedisReplyError)) throw error;
        const reason = explainRefusal(error, keys);
        if (!heals(error.reply) || signal.aborted) throw new RedisReplyError(error.reply, reason, { cause: error });
        const pauseMs = backoffMs(DEFAULT_BACKOFF, attempt);
        trouble.met(reason, `${what} failed: ${reason}. Trying again in ${(pauseMs / 1000).toFixed(1)} s`);
        await sleep(pauseMs, signal);
      }
    }
  }
}
