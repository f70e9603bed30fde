/**
 * The value of `celery-task-meta-<id>`: a state of a task, written key for key as Python writes it.
 * Counterparts: celery/backends/base.py (_get_result_meta), celery/result.py (as_tuple), 5.6.3.
 * Results of the exception states are the wire exceptions of exceptions.ts, both ways.
 */
import { DecodeError } from '../errors.ts';
import { isoformat } from './iso8601.ts';
import { dumps } from './json.ts';
import { setOwn } from './own-property.ts';
import { contentTypeOf, decodePayload, encodePayload } from './serializers.ts';
import { READY_STATES } from './states.ts';

/** `[[id, parent or null], children or null]`: how a result of a task or a group stands in JSON. */
export type ResultTuple = [[string, ResultTuple | null], ResultTuple[] | null];

/** What `result_extended` adds. */
export interface ExtendedMeta {
  /** Name of the task. */
  name: string | null;
  args: unknown;
  kwargs: unknown;
  /** Node name. */
  worker: string | null;
  retries: number | null;
  /** Routing key the message came by. */
  queue: string | null;
  /** Names and values of stamps; written only where there are any. */
  stampedHeaders?: readonly string[] | null;
  stamps?: Readonly<Record<string, unknown>>;
}

/** A state to be stored. */
export interface ResultRecord {
  taskId: string;
  state: string;
  /** A plain value, or a WireException (or null) in the exception states. */
  result: unknown;
  traceback?: string | null;
  /** Results of the tasks this one sent; null where the state is written outside of a task. @defaultValue [] */
  children?: readonly unknown[] | null;
  /** @defaultValue the time of writing in a ready state, else null */
  dateDone?: string | null;
  groupId?: string | null;
  parentId?: string | null;
  extended?: ExtendedMeta;
}

/** A state as it was stored. */
export interface TaskMeta {
  taskId: string | null;
  status: string;
  result: unknown;
  traceback: string | null;
  children: unknown[] | null;
  dateDone: string | null;
  groupId: string | null;
  parentId: string | null;
  /** Everything else in the meta under its wire name: `name`, `args`, `worker`, stamps ... Empty without result_extended. */
  extra: Record<string, unknown>;
}

const META_KEYS: ReadonlySet<string> = new Set([
  'status',
  'result',
  'traceback',
  'children',
  'date_done',
  'group_id',
  'parent_id',
  'task_id',
]);

/**
 * The bytes or text to store and publish.
 * @param serializer `result_serializer`. @defaultValue json
 * @param nowMs milliseconds since 1970, for `date_done`. @defaultValue now
 * @throws EncodeError when the result cannot be serialised
 */
export function encodeMeta(record: ResultRecord, serializer = 'json', nowMs = Date.now()): string | Buffer {
  const { state, groupId, parentId, extended } = record;
  if (serializer === 'json' && extended === undefined) return encodeJsonMeta(record, nowMs);
  const dateDone = record.dateDone === undefined && READY_STATES.has(state) ? isoformat(nowMs) : record.dateDone;
  const meta: Record<string, unknown> = {
    status: state,
    result: record.result ?? null,
    traceback: record.traceback ?? null,
    children: record.children === undefined ? [] : record.children,
    date_done: dateDone ?? null,
  };
  if (groupId) meta['group_id'] = groupId;
  if (parentId) meta['parent_id'] = parentId;
  if (extended !== undefined) addExtended(meta, extended);
  meta['task_id'] = record.taskId;
  return encodePayload(meta, serializer).data;
}

/** The hot path: the same text as for the object below, put together from its parts. */
function encodeJsonMeta(record: ResultRecord, nowMs: number): string {
  const { state, groupId, parentId, traceback, children, dateDone } = record;
  const done = dateDone === undefined ? (READY_STATES.has(state) ? isoformat(nowMs) : null) : dateDone;
  return (
    `{"status": ${dumps(state)}, "result": ${dumps(record.result ?? null)}, ` +
    `"traceback": ${traceback == null ? 'null' : dumps(traceback)}, ` +
    `"children": ${children === undefined ? '[]' : dumps(children)}, ` +
    `"date_done": ${done === null ? 'null' : `"${done}"`}, ` +
    (groupId ? `"group_id": ${dumps(groupId)}, ` : '') +
    (parentId ? `"parent_id": ${dumps(parentId)}, ` : '') +
    `"task_id": ${dumps(record.taskId)}}`
  );
}

/** As Python's dict.update: a stamp named like a field replaces its value and keeps its place. */
function addExtended(meta: Record<string, unknown>, extended: ExtendedMeta): void {
  const { name, args, kwargs, worker, retries, queue, stampedHeaders, stamps = {} } = extended;
  Object.assign(meta, { name, args, kwargs, worker, retries, queue });
  if (Object.keys(stamps).length === 0) return;
  meta['stamped_headers'] = stampedHeaders ?? null;
  for (const [stamp, value] of Object.entries(stamps)) setOwn(meta, stamp, value);
}

export interface DecodeMetaOptions {
  /** `result_serializer` of who wrote it: nothing in the value tells. @defaultValue json */
  serializer?: string;
  /** `result_accept_content` as content types. @defaultValue only that of the serializer */
  accept?: ReadonlySet<string>;
}

/**
 * Reads a stored meta. Keys that other versions leave out are read as null.
 * @throws DecodeError when it is no meta; ContentDisallowedError when its type is not accepted
 */
export function decodeMeta(data: string | Buffer, options: DecodeMetaOptions = {}): TaskMeta {
  const { serializer = 'json' } = options;
  const contentType = contentTypeOf(serializer) ?? serializer;
  const meta = decodePayload(data, contentType, null, options.accept ?? new Set([contentType]));
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) {
    throw new DecodeError('stored result is no object');
  }
  const fields = meta as Record<string, unknown>;
  const { status, children } = fields;
  if (typeof status !== 'string') throw new DecodeError('stored result has no status');
  return {
    taskId: text(fields, 'task_id'),
    status,
    result: fields['result'] ?? null,
    traceback: text(fields, 'traceback'),
    children: Array.isArray(children) ? (children as unknown[]) : null,
    dateDone: text(fields, 'date_done'),
    groupId: text(fields, 'group_id'),
    parentId: text(fields, 'parent_id'),
    extra: Object.fromEntries(Object.entries(fields).filter(([name]) => !META_KEYS.has(name))),
  };
}

/** The tuple of a task's result, or with `children` (even none) that of a group's. */
export function resultTuple(
  id: string,
  parent: ResultTuple | null = null,
  children?: ResultTuple[] | null,
): ResultTuple {
  return [[id, parent], children ?? null];
}

function text(fields: Record<string, unknown>, name: string): string | null {
  const value = fields[name];
  return typeof value === 'string' ? value : null;
}
