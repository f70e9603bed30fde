/**
 * What a YAML scalar means to PyYAML's SafeLoader: YAML 1.1 as PyYAML resolves and constructs it.
 * Counterpart: yaml/resolver.py and SafeConstructor of yaml/constructor.py, PyYAML 6.0.3. Notable against YAML 1.2 and
 * other 1.1 readers: y and n are strings, 1e3 is a string (an exponent needs a point and a sign), 017 is 15, 1:30 is 90.
 */
import { DecodeError } from '../errors.ts';
import { decodeBase64 } from './bytes.ts';
import { formatIsoDate, formatIsoTime } from './python-iso.ts';
import { MAX_INT_DIGITS, narrowInt } from './python-number.ts';
import { DateTime, PlainDate } from './typed-values.ts';

export type ScalarTag = 'bool' | 'float' | 'int' | 'merge' | 'null' | 'timestamp' | 'value' | 'str' | 'binary';

const CLOCK = String.raw`(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(?:(Z)|([-+])(\d\d?)(?::(\d\d))?))?`;
const TIMESTAMP = new RegExp(String.raw`^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)${CLOCK})?$`);
/** A date without a time needs all its digits, unless tagged. */
const FULL_DAY = /^\d{4}-\d\d-\d\d$/;

const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INT = /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*(?::[0-5]?[0-9])*|0x[0-9a-fA-F_]+)$/;
const FLOAT = new RegExp(
  [
    String.raw`^[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?$`,
    String.raw`^\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?$`,
    String.raw`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$`,
    String.raw`^[-+]?\.(?:inf|Inf|INF)$`,
    String.raw`^\.(?:nan|NaN|NAN)$`,
  ].join('|'),
);
/** The tag of a plain scalar without a tag of its own. */
export function resolvePlain(text: string): ScalarTag {
  if (NULL.test(text)) return 'null';
  if (/^[-+.0-9]/.test(text)) {
    if (FLOAT.test(text)) return 'float';
    if (INT.test(text)) return 'int';
    if (TIMESTAMP.test(text) && (text.length > 10 || FULL_DAY.test(text))) return 'timestamp';
    return 'str';
  }
  if (BOOL.test(text)) return 'bool';
  if (text === '<<') return 'merge';
  return text === '=' ? 'value' : 'str';
}

function bad(tag: string, text: string): DecodeError {
  return new DecodeError(`invalid YAML: ${JSON.stringify(text.slice(0, 80))} is no !!${tag}`);
}

function toBool(text: string): boolean {
  const lower = text.toLowerCase();
  if (lower === 'yes' || lower === 'true' || lower === 'on') return true;
  if (lower === 'no' || lower === 'false' || lower === 'off') return false;
  throw bad('bool', text);
}

function toInt(text: string): number | bigint {
  const match = /^([-+]?)(?:(0[bx][0-9a-fA-F]+)|0([0-7]*)|([0-9]+(?::[0-9]+)*))$/.exec(text.replaceAll('_', ''));
  if (match === null || text.length > MAX_INT_DIGITS) throw bad('int', text);
  const [, sign, prefixed, octal, decimal] = match;
  let size = 0n;
  try {
    if (prefixed !== undefined) size = BigInt(prefixed);
    else if (decimal === undefined) size = octal === undefined || octal === '' ? 0n : BigInt(`0o${octal}`);
    else for (const part of decimal.split(':')) size = size * 60n + BigInt(part);
  } catch {
    throw bad('int', text); // 0b12
  }
  return narrowInt(sign === '-' ? -size : size);
}

function toFloat(text: string): number {
  const bare = text.replaceAll('_', '').toLowerCase();
  const sign = bare.startsWith('-') ? -1 : 1;
  const size = bare.replace(/^[-+]/, '');
  if (size === '.inf') return sign * Infinity;
  if (size === '.nan') return NaN;
  if (!/^(?:\d+:)*(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(size)) throw bad('float', text);
  let sum = 0;
  let base = 1;
  for (const part of size.split(':').reverse()) {
    sum += Number(part) * base; // in PyYAML's order, so that it rounds as PyYAML does
    base *= 60;
  }
  return sign * sum;
}

function toTimestamp(text: string): DateTime | PlainDate {
  const match = TIMESTAMP.exec(text);
  if (match === null) throw bad('timestamp', text);
  const [, year, month, day, hour, minute, second, fraction = '', zulu, sign, offsetHour, offsetMinute = 0] = match;
  const date = { year: Number(year), month: Number(month), day: Number(day) };
  if (hour === undefined) return new PlainDate(date.year, date.month, date.day);
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000_000;
  const time = {
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
    offsetMicroseconds: zulu !== undefined ? 0 : sign === undefined ? null : sign === '-' ? 0 - offset : offset,
  };
  return new DateTime(`${formatIsoDate(date)}T${formatIsoTime(time)}`);
}

function toBinary(text: string): Buffer {
  // eslint-disable-next-line no-control-regex -- ASCII is what PyYAML asks for
  if (!/^[\u0000-\u007f]*$/.test(text)) throw bad('binary', text);
  return decodeBase64(text);
}

/** @throws DecodeError when the text is not what its tag says, or the tag has no value (a lone `=` or `<<`) */
export function constructScalar(tag: ScalarTag, text: string): unknown {
  switch (tag) {
    case 'str':
      return text;
    case 'null':
      return null;
    case 'bool':
      return toBool(text);
    case 'int':
      return toInt(text);
    case 'float':
      return toFloat(text);
    case 'timestamp':
      return toTimestamp(text);
    case 'binary':
      return toBinary(text);
    case 'merge':
    case 'value':
      throw new DecodeError(`invalid YAML: a bare ${text} has no value`);
  }
}
