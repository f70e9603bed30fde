/**
 * What was acquired, in order; `release` undoes it backwards, once, keeps going past an error and throws the first one.
 */
export class Releasers {
  #undo: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async release(): Promise<void> {
    const undo = this.#undo.reverse();
    this.#undo = [];
    const errors: unknown[] = [];
    for (const step of undo) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0] as Error;
  }
}
