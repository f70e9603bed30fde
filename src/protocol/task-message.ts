/**
 * Reads task messages: protocol 2 headers and body as they are, protocol 1 and hybrids lifted to 2 at the door.
 * Counterparts: celery/worker/strategy.py (proto1_to_proto2, hybrid_to_proto2), worker/request.py, 5.6.3.
 * Differs from Celery: what has the wrong shape is an InvalidTaskError, where a Python worker ends with a KeyError or
 * runs the task half. Only `task` and `id` are required.
 */
import { InvalidTaskError } from '../errors.ts';
import type { Envelope } from './envelope.ts';
import { parseIso8601, type IsoInstant } from './iso8601.ts';
import { setOwn } from './own-property.ts';
import { dateIsoformat } from './typed-values.ts';

export interface TaskHeaders {
  lang: string | null;
  task: string;
  id: string;
  /** Shown instead of `task` in events and logs. */
  shadow: string | null;
  /** ISO 8601; see parseTaskTime. */
  eta: string | null;
  /** ISO 8601, or a number where a foreign producer sent one. */
  expires: string | number | null;
  group: string | null;
  groupIndex: number | null;
  retries: number;
  /** Seconds; null: the task type's own. */
  timelimit: { hard: number | null; soft: number | null };
  rootId: string | null;
  parentId: string | null;
  /** `''` where the header is missing, null where it is null: events tell the two apart. */
  argsrepr: string | null;
  kwargsrepr: string | null;
  origin: string | null;
  /** undefined: the task type decides. */
  ignoreResult: boolean | undefined;
  replacedTaskNesting: number;
  stampedHeaders: string[] | null;
  stamps: Record<string, unknown>;
  /** Headers that are none of Celery's, as the task sees them in `request.headers`. */
  custom: Record<string, unknown>;
}

/** A signature as it stands in the message; canvas gives it a meaning. */
export type WireSignature = Record<string, unknown>;

export interface TaskEmbed {
  callbacks: WireSignature[] | null;
  errbacks: WireSignature[] | null;
  /** What follows, in reverse: the next task is the last element. */
  chain: WireSignature[] | null;
  chord: WireSignature | null;
}

export interface TaskBody {
  args: unknown[];
  kwargs: Record<string, unknown>;
  embed: TaskEmbed;
}

export interface LiftedTask {
  headers: TaskHeaders;
  body: TaskBody;
  /** Whether naive times are UTC (always so in protocol 2); if not, they are in the worker's own zone. */
  utc: boolean;
}

/** Most messages have none of their own. */
const NO_HEADERS: Record<string, unknown> = Object.freeze({});

const KNOWN_HEADERS: ReadonlySet<string> = new Set([
  'lang',
  'task',
  'id',
  'shadow',
  'eta',
  'expires',
  'group',
  'group_index',
  'retries',
  'timelimit',
  'root_id',
  'parent_id',
  'argsrepr',
  'kwargsrepr',
  'origin',
  'ignore_result',
  'replaced_task_nesting',
  'stamped_headers',
  'stamps',
  'compression',
  'redelivered',
]);

/** Body keys of protocol 1 that become headers; `group_index` is ours, Celery loses it and with it the chord's order. */
const LIFTED_KEYS = [
  'lang',
  'task',
  'id',
  'root_id',
  'parent_id',
  'group',
  'group_index',
  'shadow',
  'eta',
  'expires',
  'retries',
  'timelimit',
  'argsrepr',
  'kwargsrepr',
  'origin',
];

/** Whether the headers alone say that this is a task; if not, its body may still be one of protocol 1. */
export function isTaskMessage(envelope: Envelope): boolean {
  return Object.hasOwn(envelope.headers, 'task');
}

/** Whether a decoded body is a task of protocol 1, or a hybrid's: headers of protocol 2 over a body of protocol 1. */
export function isProtocol1Body(decoded: unknown, envelope?: Envelope): decoded is Record<string, unknown> {
  if (!isObject(decoded)) return false;
  return Object.hasOwn(decoded, envelope !== undefined && isTaskMessage(envelope) ? 'args' : 'task');
}

/**
 * Headers of protocol 2, checked and named as the rest of celeriac names them.
 * @throws InvalidTaskError naming the header and its value
 */
export function readHeaders(envelope: Envelope): TaskHeaders {
  return parseHeaders(envelope.headers);
}

/**
 * The body of protocol 2, `[args, kwargs, embed]`; embed may be null or lack any of its keys.
 * @throws InvalidTaskError when it has another shape
 */
export function readTaskBody(decoded: unknown): TaskBody {
  if (!Array.isArray(decoded) || decoded.length !== 3) {
    const found = Array.isArray(decoded) ? `${decoded.length} elements` : nameOf(decoded);
    throw new InvalidTaskError(`task body must be [args, kwargs, embed], found ${found}`);
  }
  const [args, kwargs, embed] = decoded as unknown[];
  return { args: readArgs(args), kwargs: readKwargs(kwargs), embed: readEmbed(embed ?? {}) };
}

/**
 * A task of protocol 1, or a hybrid, as if it had been sent with protocol 2. Real headers win over body keys.
 * @param decodedBody one for which isProtocol1Body is true
 * @throws InvalidTaskError naming what is wrong. A task without id is refused; Celery runs it and drops its result
 */
export function liftProtocol1(envelope: Envelope, decodedBody: unknown): LiftedTask {
  if (!isObject(decodedBody)) throw new InvalidTaskError(`task body must be an object, found ${nameOf(decodedBody)}`);
  const headers: Record<string, unknown> = {};
  for (const key of LIFTED_KEYS) headers[key] = decodedBody[key] ?? null;
  // Celery before 4.0 knew only this name for it.
  headers['group'] ??= decodedBody['taskset'] ?? null;
  const { callbacks, errbacks, chord, utc } = decodedBody;
  return {
    headers: parseHeaders({ ...headers, ...envelope.headers }),
    body: {
      args: readArgs(decodedBody['args'] ?? []),
      kwargs: readKwargs(decodedBody['kwargs'] ?? {}),
      embed: readEmbed({ callbacks, errbacks, chord, chain: null }),
    },
    utc: utc === undefined || Boolean(utc),
  };
}

/**
 * The instant an `eta` or `expires` header names; null for none.
 * @throws InvalidTaskError when it cannot be read as a time
 */
export function parseTaskTime(name: 'eta' | 'expires', value: string | number | null): IsoInstant | null {
  if (value === null || value === '') return null;
  const instant = typeof value === 'string' ? parseIso8601(value) : null;
  if (instant === null) throw invalid(name, value, 'an ISO 8601 time');
  return instant;
}

function parseHeaders(headers: Record<string, unknown>): TaskHeaders {
  const stampedHeaders = headers['stamped_headers'] ?? null;
  return {
    lang: optionalString(headers, 'lang'),
    task: requiredString(headers, 'task'),
    id: requiredString(headers, 'id'),
    shadow: optionalString(headers, 'shadow'),
    eta: optionalTime(headers, 'eta'),
    expires: typeof headers['expires'] === 'number' ? headers['expires'] : optionalTime(headers, 'expires'),
    group: optionalString(headers, 'group'),
    groupIndex: optionalNumber(headers, 'group_index'),
    retries: optionalNumber(headers, 'retries') ?? 0,
    timelimit: readTimelimit(headers['timelimit']),
    rootId: optionalString(headers, 'root_id'),
    parentId: optionalString(headers, 'parent_id'),
    argsrepr: headers['argsrepr'] === undefined ? '' : optionalString(headers, 'argsrepr'),
    kwargsrepr: headers['kwargsrepr'] === undefined ? '' : optionalString(headers, 'kwargsrepr'),
    origin: optionalString(headers, 'origin'),
    ignoreResult: optionalBoolean(headers, 'ignore_result'),
    replacedTaskNesting: optionalNumber(headers, 'replaced_task_nesting') ?? 0,
    stampedHeaders: stampedHeaders === null ? null : stringArray(stampedHeaders, 'stamped_headers'),
    stamps: optionalObject(headers, 'stamps'),
    custom: customHeaders(headers),
  };
}

function customHeaders(headers: Record<string, unknown>): Record<string, unknown> {
  let custom: Record<string, unknown> | undefined;
  for (const name in headers) {
    if (KNOWN_HEADERS.has(name) || !Object.hasOwn(headers, name)) continue;
    custom ??= {};
    // Defined, not assigned, so that even a header named __proto__ is only data.
    setOwn(custom, name, headers[name]);
  }
  return custom ?? NO_HEADERS;
}

function requiredString(headers: Record<string, unknown>, name: string): string {
  const value = headers[name];
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(name, value, 'a string');
}

function optionalString(headers: Record<string, unknown>, name: string): string | null {
  const value = headers[name] ?? null;
  if (value === null || typeof value === 'string') return value;
  throw invalid(name, value, 'a string or null');
}

/** Python's isoformat of an extended datetime; what is empty or false is no time, as in Celery. */
function optionalTime(headers: Record<string, unknown>, name: string): string | null {
  const value = headers[name] ?? null;
  if (value === null || value === '' || value === 0 || value === false) return null;
  if (typeof value === 'string') return value;
  const iso = value instanceof Date ? dateIsoformat(value) : null;
  if (iso === null) throw invalid(name, value, 'an ISO 8601 time or null');
  return iso;
}

function optionalNumber(headers: Record<string, unknown>, name: string): number | null {
  const value = headers[name] ?? null;
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw invalid(name, value, 'a number or null');
}

function optionalBoolean(headers: Record<string, unknown>, name: string): boolean | undefined {
  const value = headers[name] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(name, value, 'true, false or null');
}

function optionalObject(headers: Record<string, unknown>, name: string): Record<string, unknown> {
  const value = headers[name] ?? {};
  if (isObject(value)) return value;
  throw invalid(name, value, 'an object or null');
}

function readTimelimit(value: unknown): { hard: number | null; soft: number | null } {
  if (value === undefined || value === null) return { hard: null, soft: null };
  const [hard, soft] = Array.isArray(value) ? (value as unknown[]) : [];
  const isPair = Array.isArray(value) && (value.length === 2 || value.length === 0);
  if (!isPair || !isLimit(hard) || !isLimit(soft)) throw invalid('timelimit', value, '[hard, soft] in seconds or null');
  return { hard: hard ?? null, soft: soft ?? null };
}

function isLimit(value: unknown): value is number | null | undefined {
  return value === undefined || value === null || (typeof value === 'number' && value >= 0);
}

function readArgs(args: unknown): unknown[] {
  if (Array.isArray(args)) return args as unknown[];
  throw new InvalidTaskError(`task args must be an array, found ${nameOf(args)}`);
}

function readKwargs(kwargs: unknown): Record<string, unknown> {
  if (isObject(kwargs)) return kwargs;
  throw new InvalidTaskError(`task kwargs must be an object, found ${nameOf(kwargs)}`);
}

function readEmbed(embed: unknown): TaskEmbed {
  if (!isObject(embed)) throw new InvalidTaskError(`task embed must be an object or null, found ${nameOf(embed)}`);
  const chord = embed['chord'] ?? null;
  if (chord !== null && !isObject(chord)) throw invalidEmbed('chord', 'a signature or null', chord);
  return {
    callbacks: signatures(embed, 'callbacks'),
    errbacks: signatures(embed, 'errbacks'),
    chain: signatures(embed, 'chain'),
    chord,
  };
}

/** One signature stands for a list of it, as Celery's maybe_list takes it. */
function signatures(embed: Record<string, unknown>, name: string): WireSignature[] | null {
  const value = embed[name] ?? null;
  if (value === null) return null;
  if (isObject(value) && name !== 'chain') return [value];
  if (Array.isArray(value) && value.every(isObject)) return value;
  throw invalidEmbed(name, 'an array of signatures or null', value);
}

function stringArray(value: unknown, name: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw invalid(name, value, 'an array of strings or null');
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function invalid(name: string, value: unknown, expected: string): InvalidTaskError {
  if (value === undefined) return new InvalidTaskError(`task message has no ${name} header`);
  return new InvalidTaskError(`invalid ${name} header ${shown(value)}: expected ${expected}`);
}

function invalidEmbed(name: string, expected: string, value: unknown): InvalidTaskError {
  return new InvalidTaskError(`task embed has a wrong ${name}: expected ${expected}, found ${nameOf(value)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return nameOf(value);
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
