import { describe, expect, test } from '@jest/globals';
import { isoformat, parseIso8601, zoneOffsetMinutes } from '../../src/protocol/iso8601.ts';
import { PythonError } from '../../src/protocol/exceptions.ts';
import { Tuple } from '../../src/protocol/python-repr.ts';
import { saferepr } from '../../src/protocol/saferepr.ts';
import { DateTime, Decimal, Uuid } from '../../src/protocol/typed-values.ts';
import { readRecording } from './recordings.ts';

interface IsoCase {
  kind: string;
  input: string;
  conf_timezone: string | null;
  error?: string;
  parsed: string | null;
  aware: string | null;
  epoch: number | null;
}

describe('an ISO 8601 time', () => {
  test.each(readRecording<IsoCase>('misc-tables').filter(({ kind }) => kind === 'iso8601'))(
    '"$input" in a worker of zone $conf_timezone is the instant Celery takes it for',
    ({ input, conf_timezone, error, parsed, aware, epoch }) => {
      const instant = parseIso8601(input);
      if (error !== undefined || parsed === null || epoch === null) {
        expect(instant).toBeNull();
        return;
      }
      if (instant === null) throw new Error('not read');
      expect(instant.epochMs).toBe(epoch * 1000);
      expect(instant.hasOffset).toBe(/[+-]\d\d:\d\d$/.test(parsed));
      const offset = instant.offsetMinutes ?? zoneOffsetMinutes(conf_timezone ?? 'UTC', instant.epochMs);
      expect(isoformat(instant.epochMs, offset)).toBe(aware);
      if (!instant.hasOffset) expect(isoformat(instant.epochMs, null)).toBe(parsed);
    },
  );
});

describe('saferepr', () => {
  const x = (count: number): string => 'x'.repeat(count);
  const recursive: unknown[] = [1];
  recursive.push(recursive);
  const dict = (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${String(i)}`, i]));

  /** The recorded inputs, as JavaScript has them; see the capture script c07_tables. */
  const inputs: Record<string, unknown> = {
    none: null,
    bools: [true, false],
    int: 1,
    'float exp': 1e22,
    str: 'abc',
    'str quote': "it's",
    'str dquote': 'a"b',
    'str newline': 'a\nb',
    'str backslash': 'a\\b',
    'str unicode': 'naïve ☃ 😀',
    bytes: Buffer.from('abc'),
    'bytes bin': Buffer.from([0xff, 0]),
    tuple0: new Tuple([]),
    tuple1: new Tuple([1]),
    tuple2: new Tuple([1, 2]),
    list0: [],
    list: [1, 'a'],
    dict0: {},
    dict: new Map<unknown, unknown>([
      ['a', 1],
      [2, 'b'],
    ]),
    set: new Set([1]),
    'empty set': new Set(),
    decimal: new Decimal('1.1'),
    datetime: new DateTime('2026-01-02T03:04:00'),
    uuid: new Uuid('00000000-0000-0000-0000-000000000001'),
    'ordered dict': new Map([['a', 1]]),
    'deep list': [[[[[1]]]]],
    'deep dict': { a: { b: { c: { d: 1 } } } },
    recursive,
    'nested mix': new Tuple([[1, { a: new Tuple([1, 2]) }]]),
    exception: new PythonError('ValueError', ['x', 1]),
    'long str': new Tuple([x(3000)]),
    'many ints': new Tuple([Array.from({ length: 2000 }, (_, i) => i)]),
    'two long': new Tuple([x(1000), 'y'.repeat(1000)]),
    'str then more': new Tuple([x(1020), 1, 2, 3]),
    'long dict': dict(500),
    'exact 1024': x(1022),
  };
  /** Values JavaScript has no way to write: 1.0 is 1, no frozenset, no range, no class without fields. */
  const unwritable = new Set(['float', 'frozenset', 'range', 'object']);

  interface ReprCase {
    label: string;
    maxlen: number | null;
    output: string;
  }

  test.each(readRecording<ReprCase>('saferepr').filter(({ label }) => !unwritable.has(label)))(
    'prints "$label" within $maxlen characters as Celery does',
    ({ label, maxlen, output }) => {
      expect(Object.keys(inputs)).toContain(label);
      expect(saferepr(inputs[label], maxlen)).toBe(output.replace(/ with id=\d+/, ' with id=0'));
    },
  );
});
