/**
 * kombu's JSON, both ways. Counterpart: kombu/utils/json.py over json of CPython 3.11; `dumps` writes the same bytes.
 * Two limits are JavaScript's: 1.0 is 1 (so a float without a fraction is written back as an integer), and keys that
 * look like array indices come first in an object (a Map keeps its order).
 */
import { types } from 'node:util';
import { DecodeError } from '../errors.ts';
import { enterObject, mapKey, MAX_DEPTH, Refusal, refuseForeign, toEncodeError } from './encodable.ts';
import { parsePythonJson } from './json-parser.ts';
import { encodeTyped } from './json-types.ts';
import { isTooLongInt, numberText } from './python-number.ts';

/**
 * Reads JSON as Python does (see json-parser.ts), typed values included.
 * @throws DecodeError
 */
export function loads(text: string): unknown {
  if (needsPythonRules(text)) return parsePythonJson(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return parsePythonJson(text); // NaN and infinities, or an error to be named
  }
  if (text.length > 2 * MAX_DEPTH && isNestedDeeper(value, MAX_DEPTH)) {
    throw new DecodeError(`JSON is nested more than ${MAX_DEPTH} levels deep`);
  }
  return value;
}

/**
 * Whether JSON.parse might accept the text and yet give another value than Python: typed objects (their key perhaps
 * written with escapes), integers that a number cannot hold, and the integer -0.
 */
function needsPythonRules(text: string): boolean {
  if (text.includes('__type__') || hasLongInteger(text)) return true;
  if (hasMinusZero(text)) return true;
  return text.includes('\\u00') && /\\u00(?:5f|65|7[049])/i.test(text);
}

/** Ids are full of `-0`, so a regular expression would be asked for each of them: only what begins a number counts. */
function hasMinusZero(text: string): boolean {
  for (let at = text.indexOf('-0'); at !== -1; at = text.indexOf('-0', at + 2)) {
    const before = at === 0 ? 0x20 : text.charCodeAt(at - 1);
    if ((before <= 0x20 || before === 0x3a || before === 0x2c || before === 0x5b) && !/[.eE]/.test(text.charAt(at + 2)))
      return true;
  }
  return false;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/**
 * Whether 16 digits stand in a row, but not as a float's fraction. Such a row covers a multiple of 16, so looking at
 * each 16th character is enough: a quarter of what a regular expression takes (0.1 us a message, 0.1 ms a megabyte).
 */
function hasLongInteger(text: string): boolean {
  for (let at = 15; at < text.length; at += 16) {
    if (!isDigit(text.charCodeAt(at))) continue;
    let start = at;
    while (at - start < 16 && isDigit(text.charCodeAt(start - 1))) start -= 1;
    if (text[start - 1] === '.') continue;
    let end = at + 1;
    while (end - start < 16 && isDigit(text.charCodeAt(end))) end += 1;
    if (end - start >= 16) return true;
  }
  return false;
}

function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const items: unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const item of items) {
    if (typeof item === 'object' && isNestedDeeper(item, levels - 1)) return true;
  }
  return false;
}

/**
 * Writes JSON byte for byte as kombu does. `undefined` is left out of objects and null in arrays; an object with
 * toJSON() is what that returns (kombu: __json__); a Map is an object, its keys as Python writes them.
 * @throws EncodeError on what kombu refuses too (sets, errors, cycles ...), naming its path
 */
export function dumps(value: unknown): string {
  const ancestors: object[] = [];
  try {
    return encode(value, ancestors);
  } catch (error) {
    throw toEncodeError(error, ancestors);
  }
}

function encode(value: unknown, ancestors: object[]): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value);
    case 'number':
      return numberText(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return 'null';
    case 'bigint':
      if (isTooLongInt(value)) throw new Refusal('the integer has too many digits for Python', value);
      return value.toString();
    case 'object':
      return value === null ? 'null' : encodeObject(value, ancestors);
    case 'function':
      throw new Refusal('a function is no data', value);
    case 'symbol':
      throw new Refusal('a symbol is no data', value);
  }
}

const ESCAPES: string[] = [];
for (const character of '"\\') ESCAPES[character.charCodeAt(0)] = `\\${character}`;
for (const [letter, character] of Object.entries({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' })) {
  ESCAPES[character.charCodeAt(0)] = `\\${letter}`;
}

/** Remembered by code unit: text beyond ASCII is written twice as fast. */
function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return (ESCAPES[code] ??= `\\u${code.toString(16).padStart(4, '0')}`);
}

function encodeString(text: string): string {
  if (!/[^ !#-[\]-~]/.test(text)) return `"${text}"`;
  return `"${text.replace(/[^ !#-[\]-~]/g, escapeUnit)}"`;
}

function encodeObject(value: object, ancestors: object[]): string {
  enterObject(value, ancestors);
  const text = Array.isArray(value) ? encodeArray(value, ancestors) : encodeNonArray(value, ancestors);
  ancestors.pop();
  return text;
}

function encodeArray(items: readonly unknown[], ancestors: object[]): string {
  let text = '[';
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) text += ', ';
    text += encode(items[index], ancestors);
  }
  return `${text}]`;
}

function encodeNonArray(value: object, ancestors: object[]): string {
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    const typed = encodeTyped(value);
    if (typed !== null) return `{"__type__": "${typed.type}", "__value__": ${encode(typed.value, ancestors)}}`;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const replaced: unknown = (value as { toJSON(): unknown }).toJSON();
    return encode(replaced, ancestors);
  }
  if (types.isMap(value)) return encodeMap(value, ancestors);
  if (types.isBoxedPrimitive(value)) return encode(value.valueOf(), ancestors);
  refuseForeign(value);
  const record = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(record)) {
    const item = record[key];
    if (item === undefined) continue;
    text += `${text === '' ? '' : ', '}${encodeString(key)}: ${encode(item, ancestors)}`;
  }
  return `{${text}}`;
}

function encodeMap(map: ReadonlyMap<unknown, unknown>, ancestors: object[]): string {
  let text = '';
  for (const [key, item] of map) {
    if (item === undefined) continue;
    text += `${text === '' ? '' : ', '}${encodeString(mapKey(key))}: ${encode(item, ancestors)}`;
  }
  return `{${text}}`;
}
