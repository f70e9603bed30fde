/**
 * Whether results can be written now: from a lost connection or a failed try to the first call that goes through.
 * Told once at each end. Where the retry policy has an end, so has the patience with a connection that is away; the port
 * reconnects and sends again by itself, so nothing else would tell.
 */
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import { textOf } from '../redis/trouble.ts';
import type { RetryPolicy } from './retry-policy.ts';

export interface OutageOptions {
  readonly redis: RedisPort;
  readonly logger: Logger;
  readonly retry: RetryPolicy;
  /** How many records wait. */
  readonly pending: () => number;
  /** The connection was away for too long: what is pending fails. */
  readonly giveUp: (reason: string) => void;
  /** The connection is back: no need to pause on. */
  readonly onReady: () => void;
}

export class Outage {
  readonly #options: OutageOptions;
  /** Why there is no connection, from its loss until it is ready again. */
  #awayBecause: string | null = null;
  #since: number | null = null;
  #failedTries = 0;
  #patience: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
    options.redis.on('ready', this.#onReady);
    options.redis.on('lost', this.#onLost);
    options.redis.on('retrying', this.#onRetrying);
  }

  get isOn(): boolean {
    return this.#since !== null;
  }

  /** A record begins to wait. */
  onWrite(): void {
    if (this.#awayBecause !== null) this.#away(this.#awayBecause);
  }

  /** A try failed. Returns how long to pause before the next one, in milliseconds. */
  onFailedTry(reason: string): number {
    this.#begin(reason);
    this.#failedTries += 1;
    return this.#options.retry.pauseMs(this.#failedTries);
  }

  /** A call went through. */
  end(): void {
    if (this.#since === null) return;
    const seconds = (performance.now() - this.#since) / 1000;
    this.#since = null;
    this.#failedTries = 0;
    this.#options.logger.info(`results can be written again after ${seconds.toFixed(1)} s`, {
      pending: this.#options.pending(),
    });
  }

  close(): void {
    const { redis } = this.#options;
    redis.off('ready', this.#onReady);
    redis.off('lost', this.#onLost);
    redis.off('retrying', this.#onRetrying);
    clearTimeout(this.#patience);
  }

  readonly #onReady = (): void => {
    this.#awayBecause = null;
    clearTimeout(this.#patience);
    this.#patience = undefined;
    if (this.#options.pending() === 0) this.end();
    this.#options.onReady();
  };

  readonly #onLost = (error: Error | null): void => {
    this.#awayBecause = error === null ? 'connection lost' : textOf(error);
    if (this.#options.pending() > 0) this.#away(this.#awayBecause);
  };

  readonly #onRetrying = (_delayMs: number, _attempt: number, error: Error | null): void => this.#onLost(error);

  #away(reason: string): void {
    this.#begin(reason);
    const { retry, giveUp } = this.#options;
    if (retry.patienceMs === Infinity) return;
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      giveUp(`no connection for ${retry.patienceMs / 1000} s: ${this.#awayBecause ?? reason}`);
    }, retry.patienceMs);
  }

  #begin(reason: string): void {
    if (this.#since !== null) return;
    const { logger, redis, pending } = this.#options;
    this.#since = performance.now();
    logger.error(`results can't be written to ${redis.displayUrl}, they wait: ${reason}`, { pending: pending() });
  }
}
