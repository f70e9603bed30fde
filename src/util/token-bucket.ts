/**
 * So many a second, evenly: a bucket that fills at a rate and gives out whole tokens. Counterpart: kombu/utils/limits.py
 * TokenBucket, 5.6. Pure: the time comes from outside, in milliseconds.
 */
export class TokenBucket {
  readonly perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: number;

  /** Full at first. @param perSecond - above 0. */
  constructor(perSecond: number, nowMs: number, capacity = 1) {
    this.perSecond = perSecond;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#filledAt = nowMs;
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds until there is one, whole and at least 1 where there is none, so that a timer never comes too early. */
  wait(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens >= 1 ? 0 : Math.max(1, Math.ceil(((1 - this.#tokens) / this.perSecond) * 1000));
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((nowMs - this.#filledAt) / 1000) * this.perSecond);
    this.#filledAt = nowMs;
  }
}
