/** Wakes one waiting loop. A nudge given while nobody waits is kept for the next wait. */
export class Nudge {
  #given = false;
  #wake: (() => void) | undefined;

  give(): void {
    this.#given = true;
    this.#wake?.();
  }

  /** Settles at the next nudge, at once when one was kept, or after `ms`. */
  async wait(ms?: number): Promise<void> {
    if (!this.#given) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#given = false;
  }
}
