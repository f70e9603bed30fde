/**
 * Log lines as Celery writes them, so that existing parsers read them. Counterpart: DEFAULT_PROCESS_LOG_FMT and
 * DEFAULT_TASK_LOG_FMT of celery/app/defaults.py, ColorFormatter of celery/utils/log.py, 5.6.3. A template is taken apart
 * once; each line is then joined from its pieces.
 */

import { isNativeError } from 'node:util/types';
import { ConfigError } from '../errors.ts';
import { LEVEL_NAMES, SEVERITY, type LogMethod } from './levels.ts';

export const PROCESS_FORMAT = '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s';
export const TASK_FORMAT = '[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s';

export interface LogRecord {
  readonly timeMs: number;
  readonly level: LogMethod;
  readonly message: string;
  /** What the logger and the call know beside the text; `error` is an Error whose stack follows the line. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly processName: string;
}

export type Render = (record: LogRecord) => string;

const ATTRIBUTES: Readonly<Record<string, (record: LogRecord) => string>> = {
  asctime: (record) => asctime(record.timeMs),
  created: (record) => (record.timeMs / 1000).toFixed(6),
  msecs: (record) => String(record.timeMs % 1000),
  levelname: (record) => LEVEL_NAMES[record.level],
  levelno: (record) => String(SEVERITY[record.level]),
  message: (record) => record.message,
  name: () => 'celery',
  process: () => String(process.pid),
  processName: (record) => record.processName,
  threadName: () => 'MainThread',
  task_id: (record) => fieldText(record.fields.task_id),
  task_name: (record) => fieldText(record.fields.task_name),
};

function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : '???';
}

/**
 * A renderer for `worker_log_format` or `worker_task_log_format`: Python's %-style with names.
 * @throws ConfigError for a name that has no counterpart here.
 */
export function textFormat(template: string): Render {
  const pieces: ((record: LogRecord) => string)[] = [];
  let end = 0;
  for (const match of template.matchAll(/%(?:\((\w+)\)(-?)(\d*)(?:\.\d+)?[sdfi]|(%))/g)) {
    const literal = template.slice(end, match.index);
    if (literal) pieces.push(() => literal);
    end = match.index + match[0].length;
    const [, name, left, width] = match;
    if (name === undefined) {
      pieces.push(() => '%');
      continue;
    }
    const read = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined;
    if (!read) {
      throw new ConfigError(`log format: %(${name}) is not known (known: ${Object.keys(ATTRIBUTES).join(', ')})`);
    }
    const columns = Number(width || 0);
    pieces.push(
      columns === 0 ? read : (record) => (left ? read(record).padEnd(columns) : read(record).padStart(columns)),
    );
  }
  const rest = template.slice(end);
  if (rest) pieces.push(() => rest);
  return (record) => {
    let line = '';
    for (const piece of pieces) line += piece(record);
    return record.fields.error === undefined ? line : `${line}\n${errorText(record.fields.error)}`;
  };
}

/** One JSON object a line, for log collectors. */
export const jsonFormat: Render = ({ timeMs, level, message, fields, processName }) => {
  const { error, ...rest } = fields;
  const line = {
    time: new Date(timeMs).toISOString(),
    level: LEVEL_NAMES[level],
    process: processName,
    pid: process.pid,
    message,
    ...rest,
    ...(error === undefined ? {} : { error: errorText(error) }),
  };
  try {
    return JSON.stringify(line, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  } catch {
    // A field that contains itself, or whose toJSON throws, must not cost the line.
    return JSON.stringify({ ...line, ...Object.fromEntries(Object.keys(rest).map((key) => [key, '[unprintable]'])) });
  }
};

/** Celery's colours: by level, the whole line. */
const COLOURS: Readonly<Partial<Record<LogMethod, string>>> = {
  debug: '\x1b[1;34m',
  warn: '\x1b[1;33m',
  error: '\x1b[1;31m',
  critical: '\x1b[1;35m',
};

export function coloured(render: Render): Render {
  return (record) => {
    const colour = COLOURS[record.level];
    return colour === undefined ? render(record) : `${colour}${render(record)}\x1b[0m`;
  };
}

/** Whether a stream is a terminal that wants colours: no-color.org, and TERM=dumb. */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

let second = NaN;
let secondText = '';

/** `2026-11-22 01:12:21,123`, local time. */
export function asctime(timeMs: number): string {
  const ofSecond = Math.floor(timeMs / 1000);
  if (ofSecond !== second) {
    const date = new Date(timeMs);
    const two = (value: number): string => String(value).padStart(2, '0');
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    secondText = `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    second = ofSecond;
  }
  return `${secondText},${String(Math.floor(timeMs) % 1000).padStart(3, '0')}`;
}

/** An error with its stack and what caused it; anything else thrown as text. */
function errorText(thrown: unknown): string {
  if (!isError(thrown)) return String(thrown);
  let text = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
  let cause: unknown = thrown.cause;
  for (let depth = 0; isError(cause) && depth < 5; depth++) {
    text += `\nCaused by: ${cause.stack ?? cause.message}`;
    cause = cause.cause;
  }
  return text;
}

function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}
