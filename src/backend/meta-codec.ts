/**
 * Metas to bytes and back under the app's settings: `result_serializer`, `result_accept_content`, `result_extended`,
 * `timezone`. There is no envelope that names the serializer, so all members must have the same setting.
 * Counterpart: encode, decode and _get_result_meta of celery/backends/base.py, 5.6.3.
 */
import { ConfigError } from '../errors.ts';
import { isoformat, zoneOffsetMinutes } from '../protocol/iso8601.ts';
import { decodeMeta, encodeMeta, type ResultRecord, type TaskMeta } from '../protocol/result-meta.ts';
import { acceptSet, contentTypeOf } from '../protocol/serializers.ts';
import { PENDING, READY_STATES } from '../protocol/states.ts';

export interface MetaCodecOptions {
  /** `result_serializer`. @defaultValue json */
  readonly serializer?: string;
  /** `result_accept_content`, or where that is not set `accept_content`. @defaultValue the serializer alone */
  readonly acceptContent?: readonly string[] | null;
  /** `result_extended`: whether the request's name, args, worker ... are stored too. @defaultValue false */
  readonly extended?: boolean;
  /** `timezone`, that of `date_done`. @defaultValue UTC */
  readonly timeZone?: string;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: () => number;
}

export class MetaCodec {
  readonly #serializer: string;
  readonly #accept: ReadonlySet<string>;
  readonly #extended: boolean;
  readonly #timeZone: string | undefined;
  readonly #now: () => number;

  /** Throws ConfigError for a serializer that is unknown, or pickle. */
  constructor(options: MetaCodecOptions = {}) {
    this.#serializer = options.serializer ?? 'json';
    const contentType = contentTypeOf(this.#serializer);
    // Says the same of pickle and of unknown names as for accepting.
    if (contentType === undefined || !STRUCTURED.has(contentType)) {
      acceptSet([this.#serializer]);
      throw new ConfigError(`result_serializer "${this.#serializer}" holds no results: use json, yaml or msgpack`);
    }
    this.#accept = acceptSet(options.acceptContent ?? [this.#serializer]);
    this.#extended = options.extended ?? false;
    // Asking Intl for an offset costs more than all the rest of a record.
    this.#timeZone = options.timeZone === 'UTC' ? undefined : options.timeZone;
    this.#now = options.now ?? Date.now;
  }

  /** @throws EncodeError when the result cannot be serialised */
  encode(record: ResultRecord): string | Buffer {
    const data = encodeMeta(this.#complete(record), this.#serializer, this.#now());
    // JSON is ASCII and may stay a string, which costs the socket less; any other text is measured as bytes.
    return typeof data === 'string' && this.#serializer !== 'json' ? Buffer.from(data) : data;
  }

  /** @throws DecodeError when it is no meta; ContentDisallowedError when the serializer is not accepted */
  decode(payload: Buffer): TaskMeta {
    return decodeMeta(payload, { serializer: this.#serializer, accept: this.#accept });
  }

  #complete(record: ResultRecord): ResultRecord {
    let complete = record;
    if (!this.#extended && record.extended !== undefined) {
      const { extended: _, ...rest } = record;
      complete = rest;
    }
    // In UTC, encodeMeta puts the time in by itself.
    if (this.#timeZone === undefined || record.dateDone !== undefined || !READY_STATES.has(record.state))
      return complete;
    const now = this.#now();
    return { ...complete, dateDone: isoformat(now, zoneOffsetMinutes(this.#timeZone, now)) };
  }
}

const STRUCTURED: ReadonlySet<string> = new Set(['application/json', 'application/x-msgpack', 'application/x-yaml']);

/** What is known of a task nothing is stored of: it waits, or nobody ever sent it. */
export function pendingMeta(taskId: string): TaskMeta {
  return {
    taskId,
    status: PENDING,
    result: null,
    traceback: null,
    children: null,
    dateDone: null,
    groupId: null,
    parentId: null,
    extra: {},
  };
}
