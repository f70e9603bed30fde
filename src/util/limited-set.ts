/**
 * Ids with the time each was added; the oldest go when there are too many, all go after a while.
 * Counterpart: celery/utils/collections.py LimitedSet, 5.6.3. Times are seconds of whatever clock the caller uses.
 */
export class LimitedSet {
  readonly #maxSize: number;
  readonly #expiresSeconds: number;
  readonly #now: () => number;
  // A Map keeps the order of insertion: re-adding moves an id to the end.
  readonly #addedAt = new Map<string, number>();

  constructor(maxSize: number, expiresSeconds: number, now: () => number) {
    this.#maxSize = maxSize;
    this.#expiresSeconds = expiresSeconds;
    this.#now = now;
  }

  get size(): number {
    return this.#addedAt.size;
  }

  add(id: string, addedAt = this.#now()): void {
    this.#addedAt.delete(id);
    this.#addedAt.set(id, addedAt);
    this.purge();
  }

  has(id: string): boolean {
    const addedAt = this.#addedAt.get(id);
    return addedAt !== undefined && addedAt + this.#expiresSeconds > this.#now();
  }

  delete(id: string): void {
    this.#addedAt.delete(id);
  }

  purge(): void {
    const expired = this.#now() - this.#expiresSeconds;
    for (const [id, addedAt] of this.#addedAt) {
      if (this.#addedAt.size <= this.#maxSize && addedAt > expired) return;
      this.#addedAt.delete(id);
    }
  }

  /** Ids with the time each was added, oldest first. */
  *entries(): IterableIterator<[string, number]> {
    this.purge();
    yield* this.#addedAt.entries();
  }

  *[Symbol.iterator](): IterableIterator<string> {
    this.purge();
    yield* this.#addedAt.keys();
  }
}
