/**
 * A JSON parser that takes exactly what Python's takes: NaN and the infinities, integers of any size up to 4300 digits,
 * lone surrogates; and refuses what Python refuses. Marked objects become typed values on the way up, as object_hook
 * does. Counterpart: json.loads of CPython 3.11 with kombu's object_hook. Slower than JSON.parse; json.ts comes here
 * only for texts that JSON.parse would refuse or get wrong.
 */
import { DecodeError } from '../errors.ts';
import { MAX_DEPTH } from './encodable.ts';
import { decodeTyped } from './json-types.ts';
import { setOwn } from './own-property.ts';
import { parseDecimalInt } from './python-number.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;

const ESCAPES = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

class JsonParser {
  readonly #text: string;
  #at = 0;
  // eslint-disable-next-line no-control-regex -- control characters are exactly what a JSON string must not hold
  readonly #plainRun = /[^"\\\u0000-\u001f]*/y;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): unknown {
    this.#skipSpace();
    const value = this.#value(1);
    this.#skipSpace();
    if (this.#at !== this.#text.length) this.#fail('the end of the text');
    return value;
  }

  #fail(expected: string, at = this.#at): never {
    const found = at < this.#text.length ? JSON.stringify(this.#text.slice(at, at + 12)) : 'the end';
    throw new DecodeError(`invalid JSON at character ${at}: expected ${expected}, found ${found}`);
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #value(depth: number): unknown {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      case 'N':
        return this.#word('NaN', NaN);
      case 'I':
        return this.#word('Infinity', Infinity);
      default:
        return this.#number();
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value');
    this.#at += word.length;
    return value;
  }

  #enter(depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new DecodeError(`JSON is nested more than ${MAX_DEPTH} levels deep, at character ${this.#at}`);
    }
    this.#at += 1;
    this.#skipSpace();
  }

  #array(depth: number): unknown[] {
    this.#enter(depth);
    const items: unknown[] = [];
    if (this.#text.charCodeAt(this.#at) === CLOSE_ARRAY) {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#skipSpace();
      const code = this.#text.charCodeAt(this.#at);
      if (code !== COMMA && code !== CLOSE_ARRAY) this.#fail("',' or ']'");
      this.#at += 1;
      if (code === CLOSE_ARRAY) return items;
      this.#skipSpace();
    }
  }

  #object(depth: number): unknown {
    this.#enter(depth);
    const object: Record<string, unknown> = {};
    if (this.#text.charCodeAt(this.#at) === CLOSE_OBJECT) {
      this.#at += 1;
      return object;
    }
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== QUOTE) this.#fail('a key in double quotes');
      const key = this.#string();
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) !== COLON) this.#fail("':'");
      this.#at += 1;
      this.#skipSpace();
      setOwn(object, key, this.#value(depth + 1));
      this.#skipSpace();
      const code = this.#text.charCodeAt(this.#at);
      if (code !== COMMA && code !== CLOSE_OBJECT) this.#fail("',' or '}'");
      this.#at += 1;
      if (code === CLOSE_OBJECT) return asTyped(object);
      this.#skipSpace();
    }
  }

  #string(): string {
    const text = this.#text;
    this.#at += 1;
    let content = '';
    for (;;) {
      const start = this.#at;
      this.#plainRun.lastIndex = start;
      this.#plainRun.test(text);
      this.#at = this.#plainRun.lastIndex;
      content += text.slice(start, this.#at);
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#at += 1;
        return content;
      }
      if (code !== BACKSLASH) this.#fail('a closing quote and no bare control character');
      content += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail('four hexadecimal digits after \\u');
      this.#at += 6;
      return String.fromCharCode(parseInt(hex, 16)); // the halves of a surrogate pair meet by themselves
    }
    const character = ESCAPES.get(letter);
    if (character === undefined) this.#fail('a known escape');
    this.#at += 2;
    return character;
  }

  #skipDigits(): number {
    const start = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#at - start;
  }

  #number(): number | bigint {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(this.#at) === MINUS) {
      if (text[this.#at + 1] === 'I') {
        this.#at += 1;
        return this.#word('Infinity', -Infinity);
      }
      this.#at += 1;
    }
    if (text[this.#at] === '0') this.#at += 1;
    else if (this.#skipDigits() === 0) this.#fail('a value', start);
    const end = this.#at;
    // A part that is not complete is not part of the number: what follows then is refused as not expected there.
    if (text.charCodeAt(this.#at) === DOT) {
      this.#at += 1;
      if (this.#skipDigits() === 0) this.#at = end;
    }
    const fractionEnd = this.#at;
    if (text[this.#at] === 'e' || text[this.#at] === 'E') {
      this.#at += text[this.#at + 1] === '-' || text[this.#at + 1] === '+' ? 2 : 1;
      if (this.#skipDigits() === 0) this.#at = fractionEnd;
    }
    const literal = text.slice(start, this.#at);
    if (this.#at !== end) return Number(literal);
    const integer = parseDecimalInt(literal);
    if (integer === null) throw new DecodeError(`the integer at character ${start} has too many digits`);
    return integer;
  }
}

function asTyped(object: Record<string, unknown>): unknown {
  if (!Object.hasOwn(object, '__type__') || !Object.hasOwn(object, '__value__')) return object;
  if (Object.keys(object).length !== 2) return object;
  return decodeTyped(object['__type__'], object['__value__']);
}

/** @throws DecodeError naming the character where Python would raise too */
export function parsePythonJson(text: string): unknown {
  return new JsonParser(text).parse();
}
