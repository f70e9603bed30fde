/**
 * Rate limits per task type, each for this worker alone. A request over the limit waits here, un-acknowledged, between
 * strategy and dispatcher, in the order of its type, and holds up no other type; it counts against the prefetch limit.
 * Counterpart: the buckets of celery/worker/consumer/consumer.py (bucket_for_task, _limit_task), 5.6.3.
 *
 * A type without a limit costs a look at one field.
 */
import { ConfigError } from '../errors.ts';
import type { Clock } from '../util/clock.ts';
import { TokenBucket } from '../util/token-bucket.ts';
import type { Request } from './request.ts';

const SECONDS_OF: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/**
 * Starts a second: `'10/m'`, `'2/s'`, `'100/h'`, a number of them or its text; 0, null and the empty text: no limit, 0.
 * Counterpart: celery/utils/time.py rate.
 *
 * @throws ConfigError when it is none of these.
 */
export function parseRate(rate: unknown): number {
  if (rate === null || rate === undefined || rate === '') return 0;
  if (typeof rate === 'number' && Number.isFinite(rate) && rate >= 0) return rate;
  const [, count, unit = 's'] =
    (typeof rate === 'string' && /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(?:\/([smh]))?$/u.exec(rate)) || [];
  if (count === undefined) {
    throw new ConfigError(
      `a rate limit must be a number a second, or a text such as '10/s', '10/m' or '10/h', not ${shown(rate)}`,
    );
  }
  return Number(count) / (SECONDS_OF[unit] as number);
}

export interface RateLimitsOptions {
  readonly clock: Clock;
  /** Setting `worker_disable_rate_limits`. */
  readonly isDisabled: boolean;
  /** Takes over what may start. */
  readonly reserve: (request: Request) => void;
}

export class RateLimits {
  readonly #options: RateLimitsOptions;
  readonly #types = new Map<string, RateLimit>();
  readonly #count = { waiting: 0 };

  constructor(options: RateLimitsOptions) {
    this.#options = options;
  }

  get isDisabled(): boolean {
    return this.#options.isDisabled;
  }

  /** How many requests wait. */
  get size(): number {
    return this.#count.waiting;
  }

  /** What waits, in the order of each type. */
  *waiting(): IterableIterator<Request> {
    for (const type of this.#types.values()) yield* type.waiting;
  }

  /** The limit of a task type, for the strategy to keep. @throws ConfigError */
  of(taskName: string, rate: unknown): RateLimit {
    const limit = new RateLimit(this.#options.clock, this.#options.reserve, this.#count);
    this.#types.set(taskName, limit);
    this.#apply(limit, rate);
    return limit;
  }

  /**
   * Changes the limit of a task type from now on, for what waits too.
   *
   * @returns false when no such task is registered. @throws ConfigError when it is no rate; nothing is changed.
   */
  set(taskName: string, rate: unknown): boolean {
    const limit = this.#types.get(taskName);
    if (limit === undefined) {
      parseRate(rate);
      return false;
    }
    this.#apply(limit, rate);
    return true;
  }

  /** Lets nothing more start, and gives back what waits. */
  stop(): Request[] {
    return [...this.#types.values()].flatMap((limit) => limit.stop());
  }

  #apply(limit: RateLimit, rate: unknown): void {
    const perSecond = parseRate(rate);
    limit.change(this.#options.isDisabled ? 0 : perSecond);
  }
}

/** The limit of one task type: its bucket, and what waits for the next token. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #reserve: (request: Request) => void;
  /** Shared by all types. */
  readonly #count: { waiting: number };
  #bucket: TokenBucket | undefined;
  #waiting: Request[] = [];
  #callOff: (() => void) | undefined;

  constructor(clock: Clock, reserve: (request: Request) => void, count: { waiting: number }) {
    this.#clock = clock;
    this.#reserve = reserve;
    this.#count = count;
  }

  get waiting(): readonly Request[] {
    return this.#waiting;
  }

  /** Reserves the request, now or when its turn has come. */
  admit(request: Request): void {
    if (this.#bucket === undefined) {
      this.#reserve(request);
      return;
    }
    this.#waiting.push(request);
    this.#count.waiting += 1;
    this.#release();
  }

  /** @param perSecond - 0: no limit. */
  change(perSecond: number): void {
    this.#bucket = perSecond > 0 ? new TokenBucket(perSecond, this.#clock.now()) : undefined;
    this.#callOff?.();
    this.#callOff = undefined;
    this.#release();
  }

  stop(): Request[] {
    this.#callOff?.();
    this.#callOff = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#count.waiting -= waiting.length;
    return waiting;
  }

  #release(): void {
    // A timer under way says when the first of them may go.
    if (this.#callOff !== undefined) return;
    let request: Request | undefined;
    while ((request = this.#waiting[0]) !== undefined) {
      const now = this.#clock.now();
      if (this.#bucket !== undefined && !this.#bucket.take(now)) {
        this.#callOff = this.#clock.after(this.#bucket.wait(now), () => {
          this.#callOff = undefined;
          this.#release();
        });
        return;
      }
      this.#waiting.shift();
      this.#count.waiting -= 1;
      this.#reserve(request);
    }
  }
}

function shown(rate: unknown): string {
  return typeof rate === 'string'
    ? JSON.stringify(rate.slice(0, 80))
    : typeof rate === 'number'
      ? String(rate)
      : `a ${typeof rate}`;
}
