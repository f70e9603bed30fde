/**
 * A log file that is opened anew when it was moved or removed, so that logrotate needs no signal. Counterpart: Python's
 * WatchedFileHandler, which `celery worker -f` uses.
 */

import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { ConfigError } from '../errors.ts';

/** How often the path is looked at. */
const LOOK_EVERY_MS = 1_000;

export class WatchedFile extends Writable {
  readonly #path: string;
  #descriptor: number;
  #lookedAt = 0;

  /** @throws ConfigError when the file cannot be opened for appending. */
  constructor(path: string) {
    super({ decodeStrings: false });
    this.#path = path;
    try {
      this.#descriptor = openSync(path, 'a');
    } catch (error) {
      throw new ConfigError(`cannot write the log file "${path}"`, { cause: error });
    }
  }

  /** Written at once, not buffered: what was logged last before a crash is what is looked for. */
  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      this.#reopenIfMoved();
      if (typeof chunk === 'string') writeSync(this.#descriptor, chunk);
      else writeSync(this.#descriptor, chunk);
      done();
    } catch {
      // A full disk must not stop the worker; the line is lost.
      done();
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    closeSync(this.#descriptor);
    done();
  }

  #reopenIfMoved(): void {
    const now = Date.now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    const open = fstatSync(this.#descriptor);
    const named = statSync(this.#path, { throwIfNoEntry: false });
    if (named && named.ino === open.ino && named.dev === open.dev) return;
    const descriptor = openSync(this.#path, 'a');
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
  }
}
