/**
 * Tells a trouble that is met again and again: aloud when it begins and when its reason changes, quietly each further
 * time, aloud when it is over. So a log shows one line for an outage, not one for each try.
 */
export interface TroubleLog {
  error(message: string): void;
  debug(message: string): void;
  info(message: string): void;
}

export class LastingTrouble {
  readonly #log: TroubleLog;
  #reason: string | null = null;
  #since = 0;

  constructor(log: TroubleLog) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#reason !== null;
  }

  /** @param reason - what tells one trouble from another; `line` says it, and may name what differs each time. */
  met(reason: string, line: string): void {
    if (this.#reason === null) this.#since = performance.now();
    if (this.#reason === reason) this.#log.debug(line);
    else this.#log.error(line);
    this.#reason = reason;
  }

  /** @param line - for a trouble that lasted so many seconds. */
  over(line: (seconds: string) => string): void {
    if (this.#reason === null) return;
    this.#reason = null;
    this.#log.info(line(((performance.now() - this.#since) / 1000).toFixed(1)));
  }
}
