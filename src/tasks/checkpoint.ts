/**
 * Where a long task keeps how far it got, so that its next run, or a resumed job, goes on from there. Key and shape are
 * those of the Python job managers in the field: `checkpoint:<id>`, JSON of task_name, timestamp (Unix seconds) and data,
 * for 24 hours. Read are also a timestamp as ISO text, and the form {task_id, task_name, checkpoint_data, created_at,
 * expires_at}.
 */
import { type KeyValue } from '../backend/key-value.ts';
import { DecodeError } from '../errors.ts';
import { parseIso8601 } from '../protocol/iso8601.ts';
import { dumps, loads } from '../protocol/json.ts';

/** How long a checkpoint is kept after it was saved last. */
const LIFETIME_SECONDS = 24 * 60 * 60;

export class Checkpoint {
  readonly #taskId: string;
  readonly #taskName: string;
  readonly #values: () => KeyValue | Promise<KeyValue>;

  constructor(taskId: string, taskName: string, values: () => KeyValue | Promise<KeyValue>) {
    this.#taskId = taskId;
    this.#taskName = taskName;
    this.#values = values;
  }

  get key(): string {
    return `checkpoint:${this.#taskId}`;
  }

  /**
   * Keeps `data` in place of what was saved before; it is durable when this settles. Rejects with EncodeError when it is
   * no data, with BackendError when Redis refuses or stays away.
   */
  async save(data: unknown): Promise<void> {
    const text = dumps({ task_name: this.#taskName, timestamp: Date.now() / 1000, data: data ?? null });
    await (await this.#values()).set(this.key, text, LIFETIME_SECONDS);
  }

  /** What was saved last, by a run of this id or by Python; null when there is nothing. Rejects with DecodeError too. */
  async load<Data = unknown>(): Promise<Data | null> {
    const text = await (await this.#values()).get(this.key);
    return text === null ? null : (readCheckpoint(this.key, text) as Data | null);
  }

  /** Forgets it; a task that is done does this. */
  async clear(): Promise<void> {
    await (await this.#values()).delete(this.key);
  }
}

/**
 * The data in a stored checkpoint, whichever of the shapes it has; null when it says itself that it has expired.
 *
 * @throws DecodeError when it is none. Starting over silently would repeat work that was done.
 */
export function readCheckpoint(key: string, text: string): unknown {
  const stored = parse(key, text);
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) throw unreadable(key, 'it is no object');
  const fields = stored as Record<string, unknown>;
  if (hasPassed(fields['expires_at'])) return null;
  if (Object.hasOwn(fields, 'data')) return fields['data'];
  if (Object.hasOwn(fields, 'checkpoint_data')) return fields['checkpoint_data'];
  throw unreadable(key, 'it has neither "data" nor "checkpoint_data"');
}

function parse(key: string, text: string): unknown {
  try {
    return loads(text);
  } catch (error) {
    throw unreadable(key, 'it is no JSON', error);
  }
}

function unreadable(key: string, why: string, cause?: unknown): DecodeError {
  return new DecodeError(`${key} holds no checkpoint: ${why}; delete the key to start over`, { cause });
}

function hasPassed(moment: unknown): boolean {
  if (typeof moment === 'number') return moment * 1000 < Date.now();
  const instant = typeof moment === 'string' ? parseIso8601(moment) : null;
  return instant !== null && instant.epochMs < Date.now();
}
