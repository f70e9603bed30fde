/**
 * Values as Python's repr() prints them, whole: for logs, events and error texts. saferepr.ts is the one with limits.
 * Counterpart: repr() of CPython 3.11 on the values kombu's JSON can carry; numbers as python-number.ts maps them.
 */
import { types } from 'node:util';
import { identifyError, isErrorLike } from './error-identity.ts';
import { floatRepr } from './python-number.ts';
import { DateTime, Decimal, PlainDate, PlainTime, Uuid } from './typed-values.ts';
import { fromInstant, parseIsoDateTime, type IsoTime } from './python-iso.ts';

/** A list that Python is to see as a tuple; on the wire both are arrays. */
export class Tuple {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }

  toJSON(): readonly unknown[] {
    return this.items;
  }
}

/** Deeper values are printed as `...`: nobody reads them, and the stack is finite. */
const MAX_DEPTH = 64;

/** Python's repr of a value. Never throws: what Python has no word for is printed as `<ClassName object>`. */
export function pyRepr(value: unknown): string {
  return repr(value, []);
}

/** `Name(arg, arg)`, as Python prints an exception and celery prints it in events. */
export function callRepr(name: string, args: readonly unknown[]): string {
  return `${name}(${args.map((arg) => pyRepr(arg)).join(', ')})`;
}

/** Numbers, booleans and null as both repr() and str() print them; null for any other value. */
export function scalarRepr(value: unknown): string | null {
  switch (typeof value) {
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
      if (Number.isNaN(value)) return 'nan';
      return Number.isFinite(value) ? floatRepr(value) : value > 0 ? 'inf' : '-inf';
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'undefined':
      return 'None';
    default:
      return value === null ? 'None' : null;
  }
}

/** An object that is no container: dates, decimals, errors, functions, instances of unknown classes. */
export function opaqueRepr(value: unknown): string {
  if (typeof value === 'function') return `<function ${value.name || '<lambda>'}>`;
  if (typeof value === 'symbol') return `<${value.toString()}>`;
  try {
    return typeof value === 'object' && value !== null ? objectRepr(value) : String(value);
  } catch {
    return '<unrepresentable object>'; // a getter threw
  }
}

/**
 * What stands for an object on the wire: the result of its toJSON(), as a signature or an URL has it. Dates, Tuples and
 * Python's types stand for themselves.
 */
export function wireView(value: object): unknown {
  if (isDict(value) && !('toJSON' in value)) return value;
  if (Array.isArray(value) || types.isDate(value) || value instanceof Tuple || isPythonType(value)) return value;
  try {
    if ('toJSON' in value && typeof value.toJSON === 'function') return (value as { toJSON(): unknown }).toJSON();
  } catch {
    // What throws in toJSON is printed as the object it is.
  }
  return value;
}

function isPythonType(value: object): boolean {
  return (
    types.isUint8Array(value) ||
    value instanceof PlainDate ||
    value instanceof PlainTime ||
    value instanceof Decimal ||
    value instanceof Uuid
  );
}

/** Whether repr prints the object as a dict: a plain object or a Map. */
export function isDict(value: object): boolean {
  if (types.isMap(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Keys and values of a dict, in order. */
export function dictEntries(value: object): [unknown, unknown][] {
  return types.isMap(value) ? [...value] : Object.entries(value).filter(([, item]) => item !== undefined);
}

function repr(value: unknown, ancestors: object[]): string {
  if (typeof value === 'string') return stringRepr(value);
  const scalar = scalarRepr(value);
  if (scalar !== null) return scalar;
  if (typeof value !== 'object' || value === null) return opaqueRepr(value);
  if (types.isUint8Array(value)) return bytesRepr(value);
  const view = wireView(value);
  if (view !== value) return ancestors.length >= MAX_DEPTH ? '...' : replacedRepr(value, view, ancestors);

  const isTuple = value instanceof Tuple;
  const isList = Array.isArray(value);
  if (!isTuple && !isList && !types.isSet(value) && !isDict(value)) return opaqueRepr(value);
  const [open, close] = isTuple ? ['(', ')'] : isList ? ['[', ']'] : ['{', '}'];
  if (ancestors.length >= MAX_DEPTH || ancestors.includes(value)) return `${open}...${close}`;
  ancestors.push(value);
  const text = isTuple
    ? tupleRepr(value.items, ancestors)
    : isList
      ? `[${listItems(value, ancestors)}]`
      : types.isSet(value)
        ? value.size === 0
          ? 'set()'
          : `{${listItems([...value], ancestors)}}`
        : dictRepr(value, ancestors);
  ancestors.pop();
  return text;
}

/** The object counts as an ancestor, lest a toJSON that gives ever new objects never end. */
function replacedRepr(value: object, view: unknown, ancestors: object[]): string {
  ancestors.push(value);
  const text = repr(view, ancestors);
  ancestors.pop();
  return text;
}

function listItems(items: readonly unknown[], ancestors: object[]): string {
  return Array.from(items, (item) => repr(item, ancestors)).join(', ');
}

function tupleRepr(items: readonly unknown[], ancestors: object[]): string {
  return `(${listItems(items, ancestors)}${items.length === 1 ? ',' : ''})`;
}

function dictRepr(value: object, ancestors: object[]): string {
  let entries: [unknown, unknown][];
  try {
    entries = dictEntries(value);
  } catch {
    return '<unrepresentable object>'; // a getter threw
  }
  return `{${entries.map(([key, item]) => `${repr(key, ancestors)}: ${repr(item, ancestors)}`).join(', ')}}`;
}

const SHORT_ESCAPES = new Map([
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\\', '\\\\'],
]);

/** What str.isprintable() denies, and the backslash. */
const ESCAPED = /[\\\p{C}\p{Z}]/gu;

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(ESCAPED, (character) => {
    if (character === ' ') return ' ';
    const short = SHORT_ESCAPES.get(character);
    if (short !== undefined) return short;
    const code = character.codePointAt(0) ?? 0;
    if (code <= 0xff) return `\\x${hex(code, 2)}`;
    return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

function bytesRepr(bytes: Uint8Array): string {
  let text = '';
  let hasApostrophe = false;
  let hasQuote = false;
  for (const byte of bytes) {
    hasApostrophe ||= byte === 0x27;
    hasQuote ||= byte === 0x22;
    const character = String.fromCharCode(byte);
    text += SHORT_ESCAPES.get(character) ?? (byte >= 0x20 && byte < 0x7f ? character : `\\x${hex(byte, 2)}`);
  }
  return hasApostrophe && !hasQuote ? `b"${text}"` : `b'${text.replaceAll("'", "\\'")}'`;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0');
}

function objectRepr(value: object): string {
  if (types.isDate(value)) return datetimeRepr(value);
  if (value instanceof PlainDate) return `datetime.date(${value.year}, ${value.month}, ${value.day})`;
  if (value instanceof PlainTime) return `datetime.time(${[...clockFields(value, 2), ...zoneField(value)].join(', ')})`;
  if (value instanceof Decimal) return `Decimal('${value.toString()}')`;
  if (value instanceof Uuid) return `UUID('${value.toString()}')`;
  if (types.isBoxedPrimitive(value)) return pyRepr(value.valueOf());
  if (isErrorLike(value)) {
    const { excType, excArgs } = identifyError(value);
    return callRepr(excType.slice(excType.lastIndexOf('.') + 1), excArgs);
  }
  const maker: unknown = value.constructor;
  return `<${typeof maker === 'function' && maker.name !== '' ? maker.name : 'unknown'} object>`;
}

function datetimeRepr(date: Date): string {
  const iso = date instanceof DateTime ? date.isoformat() : null;
  // isoformat is the one door to a DateTime's offset and microseconds.
  const fields = iso === null ? fromInstant(date.getTime(), 0, 0) : parseIsoDateTime(iso);
  if (fields === null) return '<invalid Date>';
  const clock = clockFields(fields, 2);
  return `datetime.datetime(${[fields.year, fields.month, fields.day, ...clock, ...zoneField(fields)].join(', ')})`;
}

/** Hour, minute, second, microsecond without the zeros at the end, but at least `least` of them. */
function clockFields(time: IsoTime, least: number): number[] {
  const fields = [time.hour, time.minute, time.second, time.microsecond];
  while (fields.length > least && fields.at(-1) === 0) fields.pop();
  return fields;
}

function zoneField(time: IsoTime): string[] {
  const offset = time.offsetMicroseconds;
  if (offset === null) return [];
  if (offset === 0) return ['tzinfo=datetime.timezone.utc'];
  // A timedelta keeps its days apart, and only they may be negative.
  const days = Math.floor(offset / 86_400_000_000);
  const rest = offset - days * 86_400_000_000;
  const parts = { days, seconds: Math.floor(rest / 1_000_000), microseconds: rest % 1_000_000 };
  const shown = Object.entries(parts).flatMap(([name, amount]) => (amount === 0 ? [] : [`${name}=${amount}`]));
  return [`tzinfo=datetime.timezone(datetime.timedelta(${shown.join(', ')}))`];
}
