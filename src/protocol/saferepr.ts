/**
 * Arguments as producers print them into argsrepr and kwargsrepr: Python's repr, cut at a length and a depth.
 * Counterpart: celery/utils/saferepr.py, 5.6.3, faults included: strings escape nothing but `'`, and where the length
 * runs out a bracket may be missing. Monitors show the text and Flower compares it, so it is Celery's to the letter.
 * Lengths count characters as Python does (code points).
 */
import { types } from 'node:util';
import { dictEntries, isDict, opaqueRepr, scalarRepr, Tuple, wireView } from './python-repr.ts';

/** Celery: app.amqp.argsrepr_maxsize. */
export const DEFAULT_MAX_LENGTH = 1024;
const MAX_LEVELS = 3;

/** Containers still open: what is left to print of them, and the bracket that closes them. */
interface Frame {
  items: Iterator<Piece>;
  container: object;
  close: string;
}

type Piece = { kind: 'value' | 'key'; value: unknown } | { kind: 'separator'; text: string };

/**
 * @param value what is printed; a `Tuple` prints as a tuple, an array as a list, a Map or plain object as a dict
 * @param maxLength characters after which `...` is printed instead; null prints everything
 */
export function saferepr(value: unknown, maxLength: number | null = DEFAULT_MAX_LENGTH): string {
  const frames: Frame[] = [];
  const ancestors = new Set<object>();
  let text = '';
  let left = maxLength;

  /** False when there was no room: then only the brackets of what is open follow. */
  const print = (token: string): boolean => {
    if (left !== null && left <= 0) {
      text += ', ...';
      return false;
    }
    text += token;
    if (left !== null) left -= countCharacters(token);
    return true;
  };

  const printValue = (given: unknown): boolean => {
    const item = typeof given === 'object' && given !== null ? wireView(given) : given;
    if (typeof item === 'string') return print(left === null || left > 0 ? quoted(item, left) : '');
    const scalar = scalarRepr(item);
    if (scalar !== null) return print(truncate(scalar, left));
    if (typeof item !== 'object' || item === null) return print(truncate(opaqueRepr(item), left));
    if (types.isUint8Array(item)) return print(left === null || left > 0 ? bytesText(item, left) : '');

    // A word of its own, which no depth limit shortens.
    if (types.isSet(item) && item.size === 0) return print(truncate('set()', left));
    const container = containerOf(item);
    if (container === null) return print(truncate(opaqueRepr(item), left));
    const { open, close, pieces, name } = container;
    if (frames.length >= MAX_LEVELS) return print(truncate(`${open}...${close}`, left));
    if (ancestors.has(item)) return print(truncate(`<Recursion on ${name} with id=0>`, left));
    ancestors.add(item);
    frames.push({ items: pieces(), container: item, close });
    return print(open);
  };

  let hasRoom = printValue(value);
  for (let frame = frames.at(-1); hasRoom && frame !== undefined; frame = frames.at(-1)) {
    const next = frame.items.next();
    if (next.done === true) {
      frames.pop();
      ancestors.delete(frame.container);
      hasRoom = print(frame.close);
    } else if (next.value.kind === 'separator') {
      hasRoom = print(next.value.text);
    } else if (next.value.kind === 'key') {
      hasRoom = print(left !== null && left <= 0 ? '' : saferepr(next.value.value, left));
    } else {
      hasRoom = printValue(next.value.value);
    }
  }
  return text + frames.reduceRight((brackets, frame) => brackets + frame.close, '');
}

interface Container {
  open: string;
  close: string;
  name: string;
  pieces: () => Iterator<Piece>;
}

function containerOf(value: object): Container | null {
  if (Array.isArray(value)) {
    return { open: '[', close: ']', name: 'list', pieces: () => listPieces(value as unknown[]) };
  }
  if (value instanceof Tuple) {
    const { items } = value;
    return { open: '(', close: items.length === 1 ? ',)' : ')', name: 'tuple', pieces: () => listPieces(items) };
  }
  if (types.isSet(value)) {
    return { open: '{', close: '}', name: 'set', pieces: () => listPieces([...value]) };
  }
  if (isDict(value)) {
    try {
      const entries = dictEntries(value);
      return { open: '{', close: '}', name: 'dict', pieces: () => dictPieces(entries) };
    } catch {
      return null; // a getter threw
    }
  }
  return null;
}

function* listPieces(items: readonly unknown[]): Generator<Piece> {
  for (let i = 0; i < items.length; i++) {
    if (i > 0) yield { kind: 'separator', text: ', ' };
    yield { kind: 'value', value: items[i] };
  }
}

function* dictPieces(entries: readonly (readonly [unknown, unknown])[]): Generator<Piece> {
  let isFirst = true;
  for (const [key, value] of entries) {
    if (!isFirst) yield { kind: 'separator', text: ', ' };
    isFirst = false;
    yield { kind: 'key', value: key };
    yield { kind: 'separator', text: ': ' };
    yield { kind: 'value', value };
  }
}

function quoted(text: string, maxLength: number | null): string {
  return `'${truncate(text, maxLength).replaceAll("'", "\\'")}'`;
}

/** Cuts at the last space before the limit, even where the text would just fit. Celery: utils/text.py, truncate. */
function truncate(text: string, maxLength: number | null): string {
  if (maxLength === null || maxLength <= 0 || text.length < maxLength) return text;
  const head = firstCharacters(text, maxLength);
  if (head.length === text.length && countCharacters(text) < maxLength) return text;
  const space = head.lastIndexOf(' ');
  return `${space < 0 ? head : head.slice(0, space)}...`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text where the bytes are UTF-8 (cut in the middle of a character they no longer are), else hexadecimal digits. */
function bytesText(bytes: Uint8Array, maxLength: number | null): string {
  const isCut = maxLength !== null && bytes.length > maxLength;
  const shown = isCut ? bytes.subarray(0, maxLength) : bytes;
  let text: string;
  try {
    text = utf8.decode(shown);
  } catch {
    text = Buffer.from(shown).toString('hex');
  }
  return `b'${text}${isCut ? '...' : ''}'`;
}

/** Python's len(): a surrogate pair is one character. */
function countCharacters(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) if (isPairAt(text, i)) count--;
  return count;
}

function firstCharacters(text: string, count: number): string {
  let end = 0;
  for (let taken = 0; taken < count && end < text.length; taken++) end += isPairAt(text, end) ? 2 : 1;
  return text.slice(0, end);
}

function isPairAt(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
}
