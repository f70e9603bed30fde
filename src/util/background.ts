/**
 * Where promises go that nobody awaits: none is lost, a rejection is reported, and a shutdown can wait for all of them.
 */
export class Background {
  readonly #onError: (what: string, error: unknown) => void;
  readonly #running = new Set<Promise<void>>();

  constructor(onError: (what: string, error: unknown) => void) {
    this.#onError = onError;
  }

  run(what: string, promise: Promise<unknown>): void {
    const watched = promise.then(
      () => {
        this.#running.delete(watched);
      },
      (error: unknown) => {
        this.#running.delete(watched);
        this.#onError(what, error);
      },
    );
    this.#running.add(watched);
  }

  /** Settles when nothing runs any more, also what was added meanwhile. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
