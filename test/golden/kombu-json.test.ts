/** kombu's JSON and serializers against the recording of kombu 5.6.2 (kombu-json.jsonl). */
import { describe, expect, test } from '@jest/globals';
import { DecodeError, EncodeError } from '../../src/errors.ts';
import { dumps, loads } from '../../src/protocol/json.ts';
import { acceptSet, decodePayload, encodePayload } from '../../src/protocol/serializers.ts';
import { DateTime, Decimal, PlainDate, PlainTime, Uuid } from '../../src/protocol/typed-values.ts';
import { readGolden } from '../support/recorded.ts';

interface Row {
  kind: 'dumps' | 'loads' | 'serializer';
  label?: string;
  python?: string;
  json?: string;
  error?: string;
  loads_back?: string;
  name?: string | null;
  content_type?: string;
  content_encoding?: string;
  data_b64?: string;
}

const rows = readGolden<Row>('kombu-json.jsonl');
const of = (kind: Row['kind']): Row[] => rows.filter((row) => row.kind === kind);

const uuid = new Uuid('12345678-1234-5678-1234-567812345678');
const when = (text: string): DateTime => new DateTime(text);
class WithJson {
  toJSON(): unknown {
    return { from: '__json__' };
  }
}

/** The JavaScript value for what each recorded row dumped; null where JavaScript has no such value. */
const dumped = new Map<string, unknown>([
  ['datetime naive', when('2026-01-02T03:04:05')],
  ['datetime micro', when('2026-01-02T03:04:05.000006')],
  ['datetime utc', new Date(Date.UTC(2026, 0, 2, 3, 4, 5))],
  ['datetime +05:30', when('2026-01-02T03:04:05.120000+05:30')],
  ['datetime zoneinfo', when('2026-07-02T03:04:05+02:00')],
  ['date', new PlainDate(2026, 1, 2)],
  ['time', new PlainTime('03:04:05')],
  ['time micro', new PlainTime('03:04:05.000060')],
  ['time tz', new PlainTime('03:04:05+00:00')],
  ['decimal', new Decimal('1.10')],
  ['decimal exp', new Decimal('1E+5')],
  ['decimal nan', new Decimal('NaN')],
  ['decimal inf', new Decimal('-Infinity')],
  ['uuid', uuid],
  ['bytes utf8', Buffer.from('héé')],
  ['bytes ascii', new Uint8Array([97, 98, 99])],
  ['bytes empty', Buffer.alloc(0)],
  ['bytes binary', Buffer.from([0xff, 0, 1])],
  ['nested', { a: [when('2026-01-01T00:00:00'), { b: new Decimal('2') }] }],
  ['tuple', [1, 2]],
  ['tuple nested', [[1, [2]]]],
  [
    'int keys',
    new Map<unknown, string>([
      [1, 'c'],
      [null, 'b'],
      [1.5, 'd'],
    ]),
  ],
  ['nan', NaN],
  ['inf', Infinity],
  ['-inf', -Infinity],
  ['big int', 1180591620717411303424n],
  ['neg zero', -0],
  ['float exp', 1e22],
  ['float small', 1e-7],
  ['unicode', 'naïve ☃ 😀'],
  ['control chars', '\u0000\u001f\u007f\u2028'],
  ['lone surrogate', '\ud800'],
  ['slash', '</script>'],
  ['__json__ object', new WithJson()],
  ['type/value lookalike', { __type__: 'x', __value__: 1 }],
  ['type/value extra key', { __type__: 'datetime', __value__: 'x', z: 1 }],
  ['ordered dict', { b: 1, a: 2 }],
]);

/** A whole float is an integer in JavaScript, and these Python types have no counterpart that could be handed in. */
const inexpressible = new Set(['float int', 'timedelta', 'enum', 'complex']);

describe('dumps writes what kombu writes', () => {
  const cases = of('dumps').filter((row) => row.json !== undefined && !inexpressible.has(row.label ?? ''));
  test.each(cases.map((row) => [row.label ?? '', row.json ?? '']))('%s', (label, json) => {
    expect(dumped.has(label)).toBe(true);
    expect(dumps(dumped.get(label))).toBe(json);
  });

  test.each([
    ['set', new Set([1])],
    ['exception', new Error('x')],
  ])('%s is refused as kombu refuses it', (label, value) => {
    expect(of('dumps').find((row) => row.label === label)?.error).toMatch(/^TypeError/);
    expect(() => dumps(value)).toThrow(EncodeError);
  });

  test('no recorded case is left out', () => {
    const covered = new Set([...dumped.keys(), ...inexpressible, 'set', 'exception']);
    expect(of('dumps').filter((row) => !covered.has(row.label ?? ''))).toEqual([]);
  });
});

describe('loads reads back what kombu wrote, and writes it again unchanged', () => {
  const cases = of('dumps').filter((row) => row.json !== undefined && row.label !== 'float int');
  test.each(cases.map((row) => [row.label ?? '', row.json ?? '', row.loads_back ?? '']))('%s', (_label, json, back) => {
    if (back.startsWith('ERROR')) expect(() => loads(json)).toThrow(DecodeError);
    // "int keys": a key that looks like an array index comes first in a JavaScript object, and does so here.
    else expect(dumps(loads(json))).toBe(json);
  });

  test('a float without a fraction becomes an integer, the one loss', () => {
    expect(loads('3.0')).toBe(3);
    expect(dumps(loads('3.0'))).toBe('3');
  });
});

describe('loads reads what kombu reads', () => {
  const expected: unknown[] = [
    when('2026-01-02T03:04:05+00:00'),
    when('2026-01-02T00:00:00'),
    when('2026-01-02T03:04:05.100000'),
    new PlainDate(2026, 1, 2),
    new PlainDate(2026, 1, 2),
    new PlainTime('03:04:00'),
    DecodeError,
    new Decimal('5'),
    uuid,
    DecodeError,
    new Uuid('00000000-0000-0000-0000-000000000005'),
    Buffer.from('abc'),
    Buffer.from([0xff, 0]),
    DecodeError,
    { __type__: 'datetime' },
    { __type__: 'datetime', __value__: 'x', extra: 1 },
    NaN,
    [Infinity],
    '\ud800',
    { a: 2 },
  ];
  const cases = of('loads').map((row, index): [string, Row, unknown] => [row.json ?? '', row, expected[index]]);
  test.each(cases)('%s', (json, row, value) => {
    expect(row.error !== undefined).toBe(value === DecodeError);
    if (value === DecodeError) {
      expect(() => loads(json)).toThrow(DecodeError);
    } else {
      const loaded = loads(json);
      expect(loaded).toEqual(value);
      expect(Object.getPrototypeOf(loaded)).toBe(Object.getPrototypeOf(value));
      expect(dumps(loaded)).toBe(dumps(value));
    }
  });
});

describe('serializers', () => {
  const payload = [[1, 'é', 1.5, null, true, Buffer.from([0xff]), { k: [1, 2] }], { a: 'b' }];
  const values = new Map<string, unknown>([
    ["b'\\xff\\x00'", Buffer.from([0xff, 0])],
    ["'a string'", 'a string'],
    ["b'bytes'", Buffer.from('bytes')],
  ]);
  const accept = acceptSet(['json', 'msgpack', 'yaml', 'text']);
  const cases = of('serializer').filter((row) => row.name !== 'pickle');
  test.each(cases.map((row): [string, Row] => [`${String(row.name)} ${row.python ?? ''}`, row]))(
    '%s: same bytes out, same value in',
    (_title, row) => {
      const value = values.get(row.python ?? '') ?? payload;
      const encoded = encodePayload(value, row.name ?? null);
      expect(encoded.contentType).toBe(row.content_type);
      expect(encoded.contentEncoding).toBe(row.content_encoding);
      expect(Buffer.from(encoded.data as string).toString('base64')).toBe(row.data_b64);
      const data = Buffer.from(row.data_b64 ?? '', 'base64');
      expect(decodePayload(data, row.content_type, row.content_encoding, accept)).toEqual(value);
    },
  );

  test('the recorded pickle is refused', () => {
    const row = of('serializer').find(({ name }) => name === 'pickle');
    const data = Buffer.from(row?.data_b64 ?? '', 'base64');
    const everything = new Set([row?.content_type ?? '']);
    expect(() => decodePayload(data, row?.content_type, 'binary', everything)).toThrow(
      expect.objectContaining({ code: 'CELERIAC_CONTENT_DISALLOWED' }),
    );
  });
});
