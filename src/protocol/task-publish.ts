/**
 * Builds task messages of protocol 2, header for header as Celery's own producers do.
 * Counterparts: as_task_v2 in celery/app/amqp.py and the expiration of send_task in celery/app/base.py, 5.6.3.
 */
import { EncodeError } from '../errors.ts';
import { isoformat, parseIso8601 } from './iso8601.ts';
import { Tuple } from './python-repr.ts';
import { saferepr } from './saferepr.ts';
import { dateIsoformat } from './typed-values.ts';

export interface TaskMessageInput {
  id: string;
  task: string;
  args?: readonly unknown[];
  /** Print args in argsrepr as Python's list rather than its tuple; on the wire both are arrays. @defaultValue false */
  argsAsList?: boolean;
  kwargs?: Readonly<Record<string, unknown>>;
  /** Seconds from `nowMs`; wins over `eta`, 0 means none. */
  countdown?: number | null;
  /** A text is sent as it is. */
  eta?: Date | string | null;
  /** Seconds from `nowMs`, an instant, or a text that is sent as it is. */
  expires?: number | Date | string | null;
  groupId?: string | null;
  groupIndex?: number | null;
  /** @defaultValue 0 */
  retries?: number;
  /** Seconds. */
  timeLimit?: number | null;
  softTimeLimit?: number | null;
  /** @defaultValue the task's own id */
  rootId?: string | null;
  parentId?: string | null;
  shadow?: string | null;
  /** Given, they replace what would be printed of the arguments. */
  argsrepr?: string | null;
  kwargsrepr?: string | null;
  /** Node name of this process; see anonNodename. */
  origin: string;
  /** @defaultValue false */
  ignoreResult?: boolean;
  /** @defaultValue 0 */
  replacedTaskNesting?: number;
  /** Names of the stamps, or null. */
  stampedHeaders?: readonly string[] | null;
  /** Their values; one for each name. */
  stamps?: Readonly<Record<string, unknown>>;
  callbacks?: readonly unknown[] | null;
  errbacks?: readonly unknown[] | null;
  /** In reverse: the next task is the last element. */
  chain?: readonly unknown[] | null;
  chord?: unknown;
  /** The caller's own headers; they go over the standard ones of the same name. */
  headers?: Readonly<Record<string, unknown>>;
  /** @defaultValue '' */
  replyTo?: string;
  /** Further properties: app_id, message_id, origin of a retry ... */
  properties?: Readonly<Record<string, unknown>>;
  /** 2 persistent, 1 transient; Redis knows no difference. @defaultValue 2 */
  deliveryMode?: number;
  /** Milliseconds since 1970. @defaultValue now */
  nowMs?: number;
}

export interface TaskMessage {
  headers: Record<string, unknown>;
  /** `[args, kwargs, embed]`, not serialised yet. */
  body: unknown[];
  /** Without delivery_info, priority, body_encoding and delivery_tag, which the producer adds in this order. */
  properties: Record<string, unknown>;
}

/** @throws EncodeError when a time is none */
export function buildTaskMessage(input: TaskMessageInput): TaskMessage {
  const { id, stampedHeaders = null, nowMs = Date.now() } = input;
  const args = input.args ?? [];
  const kwargs = input.kwargs ?? {};
  // Celery takes a falsy list for "no arguments" and prints those as a tuple.
  const argsShown = input.argsAsList === true && args.length > 0 ? args : new Tuple(args);
  const countdown = input.countdown ?? 0;
  const eta = countdown === 0 ? timeText(input.eta, 'eta') : after(nowMs, countdown, 'countdown');
  const expires =
    typeof input.expires === 'number' ? after(nowMs, input.expires, 'expires') : timeText(input.expires, 'expires');

  const headers: Record<string, unknown> = {
    lang: 'js',
    task: input.task,
    id,
    shadow: input.shadow ?? null,
    eta,
    expires,
    group: input.groupId ?? null,
    group_index: input.groupIndex ?? null,
    retries: input.retries ?? 0,
    timelimit: [input.timeLimit ?? null, input.softTimeLimit ?? null],
    root_id: input.rootId || id,
    parent_id: input.parentId ?? null,
    argsrepr: input.argsrepr ?? saferepr(argsShown),
    kwargsrepr: input.kwargsrepr ?? saferepr(kwargs),
    origin: input.origin,
    ignore_result: input.ignoreResult ?? false,
    replaced_task_nesting: input.replacedTaskNesting ?? 0,
    stamped_headers: stampedHeaders,
    stamps: stampsOf(stampedHeaders, input.stamps ?? {}),
    ...input.headers,
  };

  const properties: Record<string, unknown> = {
    correlation_id: id,
    reply_to: input.replyTo ?? '',
    ...input.properties,
    delivery_mode: input.deliveryMode ?? 2,
  };
  const expiration = expirationOf(input.expires, expires, nowMs);
  if (expiration !== null) properties['expiration'] = expiration;

  const { callbacks = null, errbacks = null, chain = null, chord = null } = input;
  return { headers, body: [args, kwargs, { callbacks, errbacks, chain, chord }], properties };
}

function stampsOf(names: readonly string[] | null, stamps: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries((names ?? []).map((name) => [name, Object.hasOwn(stamps, name) ? stamps[name] : null]));
}

function after(nowMs: number, seconds: number, what: string): string {
  try {
    return isoformat(nowMs + seconds * 1000);
  } catch (cause) {
    throw new EncodeError(`${what} is out of range: ${String(seconds)} seconds`, { cause });
  }
}

function timeText(time: Date | string | null | undefined, what: string): string | null {
  if (time === null || time === undefined) return null;
  const text = typeof time === 'string' ? time : dateIsoformat(time);
  if (text === null) throw new EncodeError(`${what} is no valid date`);
  return text;
}

/** Whole milliseconds from now, as text; what has passed is 0. A naive time is UTC. */
function expirationOf(given: TaskMessageInput['expires'], expires: string | null, nowMs: number): string | null {
  if (given === null || given === undefined || expires === null) return null;
  if (typeof given === 'number') return wholeMs(given * 1000);
  const instant = parseIso8601(expires);
  if (instant === null) throw new EncodeError(`expires is no ISO 8601 time: ${JSON.stringify(expires.slice(0, 80))}`);
  return wholeMs(instant.epochMs - nowMs);
}

function wholeMs(ms: number): string {
  return String(Math.max(0, Math.trunc(ms)));
}
