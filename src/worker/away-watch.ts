/**
 * While a worker stops: lets steps that only tidy up be left undone when the connection has been away for so long. What is
 * left undone in Redis is what others recover.
 */
const LOOK_EVERY_MS = 100;

export class AwayWatch {
  readonly #away: Promise<'away'>;
  readonly #timer: NodeJS.Timeout;
  #isAway = false;

  constructor(isReady: () => boolean, patienceMs: number) {
    let awaySince: number | null = null;
    let leave: (word: 'away') => void = () => undefined;
    this.#away = new Promise((resolve) => (leave = resolve));
    this.#timer = setInterval(() => {
      awaySince = isReady() ? null : (awaySince ?? performance.now());
      if (awaySince === null || performance.now() - awaySince < patienceMs) return;
      this.#isAway = true;
      clearInterval(this.#timer);
      leave('away');
    }, LOOK_EVERY_MS);
  }

  /** Settles with the step, or when the connection has been away for too long. */
  async unless(step: Promise<unknown> | undefined): Promise<void> {
    // Left undone it fails when the connection is closed, and that is no news.
    step?.catch(() => undefined);
    await Promise.race([step, this.#away]);
  }

  /** Whether it was away. */
  end(): boolean {
    clearInterval(this.#timer);
    return this.#isAway;
  }
}
