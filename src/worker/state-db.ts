/**
 * --statedb: revoked ids outlive the worker. Counterpart: Persistent of celery/worker/state.py, 5.6.3.
 *
 * Differs from Celery: a JSON file of our own, since Celery's is a pickle, which is code; and it is written within a second
 * of a change, not only at the end, so that a crash forgets nothing. The times are of the wall clock: the clock of revokes,
 * the uptime, starts anew with the machine.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LimitedSet } from '../util/limited-set.ts';

const FORMAT = 'celeriac-state';
const LOOK_EVERY_MS = 1_000;

export class StateDb {
  readonly #path: string;
  readonly #revoked: LimitedSet;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #written = '';
  #hasFailed = false;

  constructor(path: string, revoked: LimitedSet, logger: Logger) {
    this.#path = path;
    this.#revoked = revoked;
    this.#logger = logger;
  }

  /** Reads what was kept, and keeps it up to date. @throws ConfigError for a file that is another program's, or unreadable. */
  start(): void {
    const now = Date.now() / 1000;
    for (const [id, revokedAt] of this.#read()) {
      // From the wall clock to the uptime; it may be from before the machine started.
      this.#revoked.add(id, uptime() - (now - revokedAt));
    }
    this.#write();
    this.#timer = setInterval(() => this.#keep(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#keep();
  }

  #read(): [string, number][] {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new ConfigError(`--statedb: cannot read ${this.#path}: ${(cause as Error).message}`, { cause });
    }
    if (text.trim() === '') return [];
    const state = parse(text);
    if (state === null) {
      throw new ConfigError(
        `--statedb: ${this.#path} is no state file of celeriac (Celery's is Python's own format); name another file`,
      );
    }
    return state;
  }

  #keep(): void {
    try {
      this.#write();
      this.#hasFailed = false;
    } catch (error) {
      // Once, not every second: a full disk must not fill the log too.
      if (!this.#hasFailed) this.#logger.error(`statedb: cannot write ${this.#path}`, { error });
      this.#hasFailed = true;
    }
  }

  #write(): void {
    const ids = [...this.#revoked.entries()];
    const mark = ids.length === 0 ? '0' : `${ids.length} ${String(ids[0])} ${String(ids.at(-1))}`;
    if (mark === this.#written) return;
    const offset = Date.now() / 1000 - uptime();
    const revoked = ids.map(([id, addedAt]) => [id, Math.round((addedAt + offset) * 1000) / 1000]);
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, JSON.stringify({ format: FORMAT, version: 1, revoked }), { mode: 0o600 });
      renameSync(temporary, this.#path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#written = mark;
  }
}

function parse(text: string): [string, number][] | null {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof state !== 'object' || state === null || Reflect.get(state, 'format') !== FORMAT) return null;
  const revoked: unknown = Reflect.get(state, 'revoked');
  if (!Array.isArray(revoked)) return null;
  return revoked.filter(
    (entry): entry is [string, number] =>
      Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number',
  );
}
