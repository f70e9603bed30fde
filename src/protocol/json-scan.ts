/**
 * Walks JSON text without building values, so that text can be checked, cut and patched without re-encoding it.
 * Grammar: Python's json.loads, which is strict JSON plus the bare tokens NaN, Infinity and -Infinity.
 * Never recurses: nesting costs heap, not stack. Works alike on text and on bytes read as latin1, because every
 * character the grammar names is ASCII.
 */
import { DecodeError } from '../errors.ts';

export interface ScanLimits {
  /** Deepest nesting of objects and arrays allowed. @defaultValue no limit */
  maxDepth?: number;
  /** Digits allowed in an integer. @defaultValue no limit */
  maxIntDigits?: number;
}

/** A piece of the text: `text.slice(start, end)`. */
export interface Span {
  start: number;
  end: number;
}

/** One member of an object, by position: `text.slice(keyStart, keyEnd)` is the quoted key. */
export interface MemberSpan {
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;

/** First position at or after `pos` that is no white space. */
export function skipSpace(text: string, pos: number): number {
  for (;;) {
    const code = text.charCodeAt(pos);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return pos;
    pos++;
  }
}

/**
 * End of the value that begins at `pos` (white space before it allowed).
 * @throws DecodeError when there is no valid value, or when it exceeds a limit
 */
export function skipValue(text: string, pos: number, limits: ScanLimits = {}): number {
  const maxDepth = limits.maxDepth ?? Infinity;
  const maxIntDigits = limits.maxIntDigits ?? Infinity;
  /** The closing bracket each open container waits for. */
  const open: number[] = [];
  for (;;) {
    pos = skipSpace(text, pos);
    const code = text.charCodeAt(pos);
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (open.length >= maxDepth) throw new DecodeError(`JSON is nested deeper than ${maxDepth} levels`);
      const close = code === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      pos = skipSpace(text, pos + 1);
      if (text.charCodeAt(pos) !== close) {
        open.push(close);
        if (close === CLOSE_OBJECT) pos = skipKey(text, pos);
        continue;
      }
      pos++;
    } else if (code === QUOTE) {
      pos = skipString(text, pos);
    } else {
      pos = skipScalar(text, pos, maxIntDigits);
    }

    for (;;) {
      const close = open[open.length - 1];
      if (close === undefined) return pos;
      pos = skipSpace(text, pos);
      const next = text.charCodeAt(pos);
      if (next === COMMA) {
        pos = close === CLOSE_OBJECT ? skipKey(text, skipSpace(text, pos + 1)) : pos + 1;
        break;
      }
      if (next !== close) throw unexpected(text, pos);
      open.pop();
      pos++;
    }
  }
}

/** @throws DecodeError when anything but white space follows `pos` */
export function expectEnd(text: string, pos: number): void {
  pos = skipSpace(text, pos);
  if (pos < text.length) throw unexpected(text, pos);
}

/**
 * The members of the object at `pos`, in order, repeated keys included, and where the object ends.
 * @param limits hold for each value: its depth is counted from the value
 * @throws DecodeError when there is no object, or not a valid one
 */
export function scanMembers(text: string, pos: number, limits?: ScanLimits): { members: MemberSpan[]; end: number } {
  pos = expect(text, skipSpace(text, pos), OPEN_OBJECT);
  const members: MemberSpan[] = [];
  pos = skipSpace(text, pos);
  if (text.charCodeAt(pos) === CLOSE_OBJECT) return { members, end: pos + 1 };
  for (;;) {
    const keyStart = skipSpace(text, pos);
    const keyEnd = skipString(text, keyStart);
    const valueStart = skipSpace(text, expect(text, skipSpace(text, keyEnd), COLON));
    const valueEnd = skipValue(text, valueStart, limits);
    members.push({ keyStart, keyEnd, valueStart, valueEnd });
    pos = skipSpace(text, valueEnd);
    if (text.charCodeAt(pos) === CLOSE_OBJECT) return { members, end: pos + 1 };
    pos = expect(text, pos, COMMA);
  }
}

/**
 * Where the elements of the array at `pos` start and end, and where the array ends.
 * @throws DecodeError when there is no array, or not a valid one
 */
export function scanElements(text: string, pos: number): { elements: Span[]; end: number } {
  pos = expect(text, skipSpace(text, pos), OPEN_ARRAY);
  const elements: Span[] = [];
  pos = skipSpace(text, pos);
  if (text.charCodeAt(pos) === CLOSE_ARRAY) return { elements, end: pos + 1 };
  for (;;) {
    const start = skipSpace(text, pos);
    const end = skipValue(text, start);
    elements.push({ start, end });
    pos = skipSpace(text, end);
    if (text.charCodeAt(pos) === CLOSE_ARRAY) return { elements, end: pos + 1 };
    pos = expect(text, pos, COMMA);
  }
}

/** The last member of that name, which is the one every parser keeps; escapes in the key are read. */
export function lastMember(text: string, members: readonly MemberSpan[], name: string): MemberSpan | undefined {
  const quoted = JSON.stringify(name);
  return members.findLast(({ keyStart, keyEnd }) => {
    const key = text.slice(keyStart, keyEnd);
    return key === quoted || (key.includes('\\') && JSON.parse(key) === name);
  });
}

export function isObjectAt(text: string, pos: number): boolean {
  return text.charCodeAt(pos) === OPEN_OBJECT;
}

export function isStringAt(text: string, pos: number): boolean {
  return text.charCodeAt(pos) === QUOTE;
}

function skipKey(text: string, pos: number): number {
  return expect(text, skipSpace(text, skipString(text, pos)), COLON);
}

function skipString(text: string, pos: number): number {
  // A loop, not a pattern: V8's matcher runs out of stack on a string of some million escapes.
  pos = expect(text, pos, QUOTE);
  for (;;) {
    const code = text.charCodeAt(pos);
    if (code === QUOTE) return pos + 1;
    if (code === BACKSLASH) pos = skipEscape(text, pos);
    // Negated, so that the NaN past the end of the text is refused with the control characters.
    else if (!(code >= 0x20)) throw unexpected(text, pos);
    else pos++;
  }
}

function skipEscape(text: string, pos: number): number {
  const code = text.charCodeAt(pos + 1);
  if (code === LETTER_U && /^[\da-fA-F]{4}$/.test(text.slice(pos + 2, pos + 6))) return pos + 6;
  if (code !== LETTER_U && '"\\/bfnrt'.includes(text.charAt(pos + 1)) && pos + 1 < text.length) return pos + 2;
  throw unexpected(text, pos);
}

function skipScalar(text: string, pos: number, maxIntDigits: number): number {
  NUMBER.lastIndex = pos;
  const number = NUMBER.exec(text);
  if (number === null) {
    WORD.lastIndex = pos;
    if (!WORD.test(text)) throw unexpected(text, pos);
    return WORD.lastIndex;
  }
  const isInteger = number[1] === undefined && number[2] === undefined;
  if (isInteger && number[0].length - (number[0].startsWith('-') ? 1 : 0) > maxIntDigits) {
    throw new DecodeError(`JSON has an integer of more than ${maxIntDigits} digits`);
  }
  return NUMBER.lastIndex;
}

function expect(text: string, pos: number, code: number): number {
  if (text.charCodeAt(pos) !== code) throw unexpected(text, pos);
  return pos + 1;
}

function unexpected(text: string, pos: number): DecodeError {
  return new DecodeError(
    pos >= text.length
      ? `JSON ends too early, at character ${pos}`
      : `JSON has an unexpected ${JSON.stringify(text.slice(pos, pos + 10))} at character ${pos}`,
  );
}
