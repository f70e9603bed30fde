import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ConfigError, ContentDisallowedError, DecodeError, EncodeError } from '../../../src/errors.ts';
import {
  acceptSet,
  contentTypeOf,
  decodePayload,
  encodePayload,
  isAccepted,
} from '../../../src/protocol/serializers.ts';
import { DateTime, Decimal, PlainDate, Uuid } from '../../../src/protocol/typed-values.ts';

const json = acceptSet(['json']);
const msgpack = acceptSet(['msgpack']);
const pack = (value: unknown): Buffer => encodePayload(value, 'msgpack').data as Buffer;
const unpack = (hex: string | Buffer): unknown =>
  decodePayload(typeof hex === 'string' ? Buffer.from(hex, 'hex') : hex, 'application/x-msgpack', 'binary', msgpack);

describe('what is accepted', () => {
  test('names, their aliases and mime types mean content types', () => {
    expect([...acceptSet(['json', 'yaml', 'x-yaml', 'msgpack', 'text', 'application/x-own'])]).toEqual([
      'application/json',
      'application/x-yaml',
      'application/x-msgpack',
      'text/plain',
      'application/x-own',
    ]);
    expect(contentTypeOf('nope')).toBeUndefined();
  });

  test('pickle cannot be accepted, by any name, nor can what nobody knows', () => {
    expect(() => acceptSet(['json', 'pickle'])).toThrow(ConfigError);
    expect(() => acceptSet(['application/x-python-serialize'])).toThrow(ConfigError);
    expect(() => acceptSet(['jsn'])).toThrow(/unknown serializer "jsn"/);
  });

  test('a content type that is not accepted is refused before its bytes are looked at', () => {
    expect(() => decodePayload(Buffer.from('{'), 'application/x-yaml', 'utf-8', json)).toThrow(ContentDisallowedError);
    expect(() => decodePayload(Buffer.from('x'), 'text/plain', 'utf-8', json)).toThrow(ContentDisallowedError);
    expect(() => decodePayload(Buffer.alloc(0), 'text/plain', 'utf-8', json)).toThrow(ContentDisallowedError);
  });

  test('pickle is refused even when a hand-made set lists it', () => {
    const all = new Set(['application/x-python-serialize']);
    expect(isAccepted('application/x-python-serialize', all)).toBe(false);
    expect(() => decodePayload(Buffer.from('x'), 'application/x-python-serialize', 'binary', all)).toThrow(/pickle/);
  });

  test('raw data and application/text are trusted, and data without a type is raw', () => {
    const bytes = Buffer.from([0xff]);
    expect(decodePayload(bytes, 'application/data', 'binary', json)).toBe(bytes);
    expect(decodePayload(bytes, undefined, 'binary', json)).toBe(bytes);
    expect(decodePayload(bytes, '', 'BINARY', json)).toBe(bytes);
    expect(decodePayload(Buffer.from('é'), 'application/text', null, json)).toBe('é');
    expect(isAccepted(null, json)).toBe(true);
  });
});

describe('content that no decoder knows', () => {
  const own = acceptSet(['application/x-own']);
  const decode = (data: Buffer | string, encoding: string | null): unknown =>
    decodePayload(data, 'application/x-own', encoding, own);

  test('is text in its encoding, or bytes when that is binary', () => {
    expect(decode(Buffer.from('é'), null)).toBe('é');
    expect(decode(Buffer.from([0xe9]), 'latin-1')).toBe('é');
    expect(decode(Buffer.from([0x80]), 'iso-8859-1')).toBe('\u0080');
    expect(decode(Buffer.from('aé', 'utf16le'), 'utf-16le')).toBe('aé');
    expect(decode(Buffer.from('a'), 'us-ascii')).toBe('a');
    expect(decode(Buffer.from([1]), 'ascii-8bit')).toEqual(Buffer.from([1]));
    expect(decode('text already', 'utf-8')).toBe('text already');
  });

  test('is refused when it is not in that encoding', () => {
    expect(() => decode(Buffer.from([0xff]), 'utf-8')).toThrow(DecodeError);
    expect(() => decode(Buffer.from([0xe9]), 'ascii')).toThrow(DecodeError);
    expect(() => decode(Buffer.from([1]), 'klingon')).toThrow(DecodeError);
  });
});

test('an empty payload is returned as it is, as kombu does', () => {
  expect(decodePayload(Buffer.alloc(0), 'application/json', 'utf-8', json)).toEqual(Buffer.alloc(0));
  expect(decodePayload('', 'application/json', 'utf-8', json)).toBe('');
});

test('JSON bytes must be UTF-8 without a byte order mark', () => {
  expect(decodePayload(Buffer.from('"é"'), 'application/json', 'utf-8', json)).toBe('é');
  expect(decodePayload('[1]', 'application/json', 'utf-8', json)).toEqual([1]);
  expect(() => decodePayload(Buffer.from([0x22, 0xff, 0x22]), 'application/json', 'utf-8', json)).toThrow(DecodeError);
  expect(() => decodePayload(Buffer.from('\ufeff1'), 'application/json', 'utf-8', json)).toThrow(DecodeError);
});

test('text and raw take what they can carry', () => {
  expect(encodePayload('é', 'text')).toEqual({ contentType: 'text/plain', contentEncoding: 'utf-8', data: 'é' });
  expect(encodePayload('é', 'raw')).toEqual({ contentType: 'application/data', contentEncoding: 'utf-8', data: 'é' });
  expect(encodePayload({ a: 1 }, null).contentType).toBe('application/json');
  expect(() => encodePayload('\ud800', 'text')).toThrow(EncodeError);
  expect(() => encodePayload({}, 'raw')).toThrow(EncodeError);
  expect(() => encodePayload(1, 'text')).toThrow(EncodeError);
  expect(() => encodePayload(1, 'pickle')).toThrow(EncodeError);
  expect(() => encodePayload(1, 'jsn')).toThrow(EncodeError);
});

describe('msgpack', () => {
  test('writes integers as integers up to 64 bits', () => {
    expect(pack([1, -1, 255, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1]).toString('hex')).toBe(
      '9601ffccffd30000000100000000d3ffffffff7fffffffd3001fffffffffffff',
    );
    expect(unpack(pack([2n ** 64n - 1n, -(2n ** 63n), 5n]))).toEqual([2n ** 64n - 1n, -(2n ** 63n), 5]);
    for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) expect(() => pack({ a: [value] })).toThrow(/value\.a\[0\]/);
  });

  test('leaves out undefined, and takes Maps and toJSON', () => {
    expect(unpack(pack({ a: undefined, b: [undefined], m: new Map([['k', 1]]), u: new URL('http://x/') }))).toEqual({
      b: [null],
      m: { k: 1 },
      u: 'http://x/',
    });
  });

  test.each([
    ['a datetime', new DateTime('2026-01-02')],
    ['a Date', new Date(0)],
    ['a date', new PlainDate(2026, 1, 2)],
    ['a decimal', new Decimal('1')],
    ['a uuid', new Uuid('1'.repeat(32))],
    ['a Set', new Set()],
    ['a function', () => 1],
    ['a lone surrogate', '\ud800'],
    ['a key that is no string', new Map([[1, 1]])],
  ])('refuses %s, as Python does', (_label, value) => {
    expect(() => pack({ a: value })).toThrow(EncodeError);
  });

  test('reads every form of Python, and the timestamp', () => {
    expect(unpack('c0')).toBeNull();
    expect(unpack('96d0ffd1ff00d2ffff0000ca3fc00000c40161d9026869')).toEqual([
      -1,
      -256,
      -65536,
      1.5,
      Buffer.from('a'),
      'hi',
    ]);
    expect(unpack('93c5000161c60000000161da000161')).toEqual([Buffer.from('a'), Buffer.from('a'), 'a']);
    expect(unpack('d6ff00000001')).toEqual(new Date(1000));
    expect(unpack('d7ff3b9aca0000000001')).toBeInstanceOf(Date);
    expect(unpack('c70cff1dcd65000000000000000001')).toEqual(new Date(1500));
    expect(unpack('df00000001a161c2')).toEqual({ a: false });
  });

  test('keeps __proto__ as a property of its own', () => {
    const value = unpack(pack(JSON.parse('{"__proto__": {"a": 1}}'))) as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test.each([
    ['a promise of four billion items', 'ddffffffff'],
    ['a promise of four billion pairs', 'dfffffffff'],
    ['nested promises', 'dd01000000'.repeat(8)],
    ['bytes that are not there', 'c6ffffffff00'],
    ['the end in the middle', '92'],
    ['nothing but a size', 'd9'],
    ['bytes after the value', '0101'],
    ['the unused code', 'c1'],
    ['a string that is no UTF-8', 'a1ff'],
    ['a key that is no string', '810101'],
    ['an unknown extension', 'd40001'],
    ['an extension that msgpackr would make a regular expression', 'c7037892a161'],
    ['a timestamp of three bytes', 'c703ff000000'],
    ['a timestamp beyond all dates', 'c70cff000000007fffffffffffffff'],
    ['nesting without end', '91'.repeat(100_000)],
  ])('refuses %s', (_label, hex) => {
    expect(() => unpack(hex)).toThrow(DecodeError);
  });

  test('text in place of bytes is refused', () => {
    expect(() => decodePayload('abc', 'application/x-msgpack', 'binary', msgpack)).toThrow(DecodeError);
  });

  test('what it writes it reads back, and no bytes crash it', () => {
    const values = fc.anything({
      key: fc.string({ unit: 'grapheme' }),
      values: [
        fc.string({ unit: 'grapheme' }),
        fc.double().filter((x) => !Object.is(x, -0)),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ],
      maxDepth: 4,
    });
    fc.assert(fc.property(values, (value) => expect(unpack(pack(value))).toEqual(value)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          unpack(Buffer.from(bytes));
        } catch (error) {
          expect(bytes.length === 0 || error instanceof DecodeError).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
