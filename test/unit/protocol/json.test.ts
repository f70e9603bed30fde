import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EncodeError } from '../../../src/errors.ts';
import { dumps, loads } from '../../../src/protocol/json.ts';
import { DateTime, Decimal, PlainDate, PlainTime, Uuid } from '../../../src/protocol/typed-values.ts';

const failure = (value: unknown): string => {
  try {
    dumps(value);
  } catch (error) {
    if (error instanceof EncodeError) return error.message;
    throw error;
  }
  throw new Error('it was encoded');
};

describe('dumps', () => {
  test('drops undefined from objects and Maps and writes null for it elsewhere', () => {
    expect(dumps({ a: undefined, b: 1 })).toBe('{"b": 1}');
    expect(dumps(new Map([['a', undefined]]))).toBe('{}');
    // eslint-disable-next-line no-sparse-arrays -- a hole is what is tested
    expect(dumps([undefined, , 1])).toBe('[null, null, 1]');
    expect(dumps(undefined)).toBe('null');
  });

  test('keeps integers that are no safe number as floats, since Python reads them so', () => {
    expect(dumps([2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e16])).toBe(
      '[9007199254740991, 9007199254740992.0, -9007199254740992.0, 1e+16]',
    );
  });

  test('unwraps boxed primitives and objects with toJSON, and reads own fields of instances', () => {
    class Point {
      x = 1;
      y = 2;
    }
    expect(dumps([Object('a'), Object(1), Object(true), Object(2n ** 60n)])).toBe(
      '["a", 1, true, 1152921504606846976]',
    );
    expect(dumps({ url: new URL('http://x/?é'), p: new Point() })).toBe(
      '{"url": "http://x/?%C3%A9", "p": {"x": 1, "y": 2}}',
    );
    expect(dumps(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a": 1}');
  });

  test('writes Map keys as Python writes keys, and keeps their order', () => {
    const map = new Map<unknown, unknown>([
      ['b', 1],
      [2, 2],
      [1.5, 3],
      [true, 4],
      [null, 5],
      [10n ** 20n, 6],
      [NaN, 7],
    ]);
    expect(dumps(map)).toBe('{"b": 1, "2": 2, "1.5": 3, "true": 4, "null": 5, "100000000000000000000": 6, "NaN": 7}');
    expect(failure(new Map([[{}, 1]]))).toMatch('key of a Map');
  });

  test('writes a plain Date as an aware datetime in UTC, milliseconds as microseconds', () => {
    expect(dumps(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 120)))).toBe(
      '{"__type__": "datetime", "__value__": "2026-01-02T03:04:05.120000+00:00"}',
    );
    expect(failure(new Date(NaN))).toMatch('Date');
    expect(failure({ at: [new Date(8.64e15)] })).toMatch('value.at[0]');
  });

  test.each([
    ['a function', { a: [1, { cb: () => 1 }] }, 'value.a[1].cb: a function is no data'],
    ['a symbol', [Symbol('x')], 'value[0]: a symbol'],
    ['a Set', { tags: new Set(['a']) }, 'value.tags: a Set'],
    ['a promise', { x: Promise.resolve(1) }, 'value.x: a Promise is no data (is an await missing?)'],
    ['an error', [new TypeError('x')], 'value[0]: an object of type TypeError'],
    ['a regular expression', { 'a-b': /x/ }, 'value["a-b"]: an object of type RegExp'],
    ['an ArrayBuffer', new ArrayBuffer(2), 'value: an object of type ArrayBuffer'],
    ['a typed array', [new Float64Array(2)], 'value[0]: an object of type Float64Array'],
    ['a value inside a Map', new Map([['m', new WeakMap()]]), 'value.m: an object of type WeakMap'],
    ['an integer beyond 4300 digits', { n: 10n ** 4300n }, 'value.n: the integer has too many digits'],
  ])('refuses %s and names its place', (_label, value, message) => {
    expect(failure(value)).toMatch(message);
  });

  test('refuses cycles, also through toJSON and Maps, and names where they close', () => {
    const loop: Record<string, unknown> = { a: {} };
    (loop['a'] as Record<string, unknown>)['back'] = loop;
    expect(failure(loop)).toMatch('value.a.back: it contains itself');
    const map = new Map<string, unknown>();
    map.set('me', [map]);
    expect(failure(map)).toMatch('value.me[0]: it contains itself');
    const self = { toJSON: (): unknown => self };
    expect(failure([self])).toMatch('it contains itself');
    const endless = (): unknown => ({ toJSON: endless });
    expect(failure(endless())).toMatch('512 levels');
  });

  test('writes a value twice that occurs twice without a cycle', () => {
    const shared = { a: 1 };
    expect(dumps([shared, shared])).toBe('[{"a": 1}, {"a": 1}]');
  });

  test('refuses nesting beyond 512 levels instead of running out of stack', () => {
    let deep: unknown[] = [];
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(failure(deep)).toMatch('512 levels');
  });

  test('wraps what a getter or toJSON throws', () => {
    const cause = new RangeError('boom');
    const value = {
      get a(): number {
        throw cause;
      },
    };
    expect(() => dumps([value])).toThrow(expect.objectContaining({ code: 'CELERIAC_ENCODE', cause }));
  });

  test('treats objects of another realm like its own', () => {
    const foreign: unknown = runInContext(
      '({ when: new Date(0), map: new Map([[1, [2]]]), bytes: new Uint8Array([97]), plain: { a: null } })',
      createContext({}),
    );
    expect(dumps(foreign)).toBe(
      '{"when": {"__type__": "datetime", "__value__": "1970-01-01T00:00:00+00:00"}, "map": {"1": [2]}, ' +
        '"bytes": {"__type__": "bytes", "__value__": "a"}, "plain": {"a": null}}',
    );
    expect(failure(runInContext('new Set()', createContext({})))).toMatch('a Set');
  });
});

describe('loads', () => {
  test.each(['{"__proto__": {"polluted": 1}}', '{"__proto__": {"polluted": NaN}}'])(
    'keeps __proto__ as a property of its own: %s',
    (json) => {
      const value = loads(json) as Record<string, unknown>;
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(value)).toEqual(['__proto__']);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      expect(dumps(value)).toBe(json);
    },
  );

  test('gives numbers where they are exact and bigints beyond', () => {
    expect(loads('[9007199254740991, 9007199254740992, -9007199254740991, -9007199254740992]')).toEqual([
      9007199254740991,
      9007199254740992n,
      -9007199254740991,
      -9007199254740992n,
    ]);
    expect(loads('{"a": 12345678901234567890, "s": "12345678901234567890"}')).toEqual({
      a: 12345678901234567890n,
      s: '12345678901234567890',
    });
    expect(loads('0.30000000000000004')).toBe(0.30000000000000004);
  });

  test('finds an integer beyond 2^53 wherever it stands', () => {
    for (const number of [9007199254740993n, 12345678901234567890123n]) {
      for (let shift = 0; shift < 40; shift += 1) {
        const spaces = ' '.repeat(shift);
        expect(loads(`${spaces}${number}`)).toBe(number);
        expect(loads(`[0.5,${spaces}${number},0.25]`)).toEqual([0.5, number, 0.25]);
        expect(loads(`[0.1234567890123456789,${spaces}${number}]`)).toEqual([0.12345678901234568, number]);
      }
    }
  });

  test('tells where the text is wrong', () => {
    expect(() => loads('{"a": [1, }')).toThrow('at character 10: expected a value, found "}"');
    expect(() => loads('{"a": "\u0001"}')).toThrow(/control character/);
  });

  test('is linear on hostile text', () => {
    const started = performance.now();
    for (const text of [`"${'\\u0041'.repeat(200_000)}"`, '1'.repeat(1_000_000), `[${'-0,'.repeat(200_000)}1]`]) {
      try {
        loads(text);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CELERIAC_DECODE' });
      }
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

const year = fc.integer({ min: 1, max: 9999 });
const typed = fc.oneof(
  fc
    .date({ noInvalidDate: true, min: new Date('0001-01-02'), max: new Date('9999-12-30') })
    .map((date) => new DateTime(date.toISOString().replace('Z', '001+05:30'))),
  fc
    .tuple(year, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
    .map((parts) => new PlainDate(...parts)),
  fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 999_999 }))
    .map(([hour, micro]) => new PlainTime(`${String(hour).padStart(2, '0')}:59:01.${String(micro).padStart(6, '0')}`)),
  fc.tuple(fc.bigInt(), fc.integer({ min: -40, max: 40 })).map(([digits, power]) => new Decimal(`${digits}E${power}`)),
  fc.uuid().map((text) => new Uuid(text)),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);
const anything = fc.anything({
  key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '__type__', 'toJSON', '1')),
  values: [
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt({ min: 2n ** 53n }),
    typed,
  ],
  maxDepth: 4,
});

/** Text for comparison that keeps types and -0 apart, as toEqual would not in every place. */
const exact = (value: unknown): string => dumps(value);

describe('properties', () => {
  test('what dumps writes, loads reads back to the same', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const text = dumps(value);
        const back = loads(text);
        expect(exact(back)).toBe(text);
        // JavaScript moves keys that look like indices; toEqual does not mind.
        expect(back).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  test('dumps writes ASCII that, but for spaces, is what JSON.stringify means', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = dumps(value);
        expect(text).toMatch(/^[ -~]*$/);
        expect(JSON.parse(text)).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  test('any text gives a value or a DecodeError, never another error', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '\\u',
      'd800',
      '-',
      '0',
      '1e',
      '.5',
      'NaN',
      '"__type__":',
      '"a"',
      ' ',
      '\u0000',
      'null',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            loads(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'CELERIAC_DECODE' });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
