/** What the command ends with; Celery's codes (celery/platforms.py, click), 5.6.3. */

export const EX_OK = 0;
/** It could not start, or failed. */
export const EX_FAILURE = 1;
/** The command line is wrong: an unknown option, a bad value, an app that can't be loaded. */
export const EX_USAGE = 2;
/** The pidfile is held by a living process, or can't be written. */
export const EX_CANTCREAT = 73;

/** Ends the command with this code; the message is printed as it is. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
