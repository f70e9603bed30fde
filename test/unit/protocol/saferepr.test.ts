import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pyRepr, Tuple } from '../../../src/protocol/python-repr.ts';
import { saferepr } from '../../../src/protocol/saferepr.ts';
import { DateTime, Decimal, PlainDate, PlainTime, Uuid } from '../../../src/protocol/typed-values.ts';

class Signature {
  toJSON(): object {
    return { task: 't' };
  }
}

describe('pyRepr', () => {
  test.each<[unknown, string]>([
    [undefined, 'None'],
    [-0, '-0.0'],
    [1e16, '1e+16'],
    [2 ** 53 - 1, '9007199254740991'],
    [0.00001, '1e-05'],
    [NaN, 'nan'],
    [-Infinity, '-inf'],
    [2n ** 70n, '1180591620717411303424'],
    ["it's", `"it's"`],
    [`'"`, `'\\'"'`],
    [
      `\n\\\x00\x7f\xa0\u2028${String.fromCharCode(0xd800)}\u{e0001}é😀`,
      "'\\n\\\\\\x00\\x7f\\xa0\\u2028\\ud800\\U000e0001é😀'",
    ],
    [Buffer.from([0x61, 0x27, 0xff, 0x0a]), `b"a'\\xff\\n"`],
    [new Tuple([1]), '(1,)'],
    [new Tuple([]), '()'],
    [new Set(['a']), "{'a'}"],
    [new Set(), 'set()'],
    [new Map<unknown, unknown>([[1, [2]]]), '{1: [2]}'],
    [{ a: undefined, b: null }, "{'b': None}"],
    [new Date(Date.UTC(2026, 0, 2)), 'datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)'],
    [new DateTime('2026-01-02T00:00:05'), 'datetime.datetime(2026, 1, 2, 0, 0, 5)'],
    [
      new DateTime('2026-01-02T03:04:05.000007-05:00'),
      'datetime.datetime(2026, 1, 2, 3, 4, 5, 7, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))',
    ],
    [new Date(NaN), '<invalid Date>'],
    [new PlainDate(2026, 1, 2), 'datetime.date(2026, 1, 2)'],
    [new PlainTime('01:02:03Z'), 'datetime.time(1, 2, 3, tzinfo=datetime.timezone.utc)'],
    [new Decimal('1.10'), "Decimal('1.10')"],
    [new Uuid('12345678123456781234567812345678'), "UUID('12345678-1234-5678-1234-567812345678')"],
    [new TypeError('x'), "TypeError('x')"],
    [new Signature(), "{'task': 't'}"],
    [new WeakMap(), '<WeakMap object>'],
    [Symbol('s'), '<Symbol(s)>'],
  ])('prints %p as Python does', (value, expected) => {
    expect(pyRepr(value)).toBe(expected);
  });

  test('ends for values that never do', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(pyRepr(cycle)).toBe("{'self': {...}}");
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(pyRepr(deep)).toContain('[...]');
    class Endless {
      toJSON(): unknown {
        return [new Endless()];
      }
    }
    expect(pyRepr(new Endless()).length).toBeLessThan(1000);
    expect(saferepr(new Endless())).toBe('[[[[...]]]]');
  });

  test('never throws, whatever a getter does', () => {
    const trap = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(pyRepr([trap])).toBe('[<unrepresentable object>]');
    expect(saferepr([trap])).toMatch(/^\[<.*>\]$/);
  });
});

describe('saferepr', () => {
  test('agrees with pyRepr where nothing is long, deep or escaped', () => {
    const flat = fc.array(
      fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.stringMatching(/^[a-z ]*$/)),
    );
    fc.assert(fc.property(flat, (value) => saferepr(value, null) === pyRepr(value)));
  });

  test('never grows far beyond its length, whatever it prints', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 200 }), (value, maxLength) => {
        const text = saferepr(value, maxLength);
        // One token may pass the limit by its quotes and dots; then follow ", ..." and the brackets of three levels.
        expect(text.replaceAll("\\'", "'").length).toBeLessThanOrEqual(maxLength * 2 + 40);
      }),
    );
  });

  test('does not read on in values of any size', () => {
    const started = performance.now();
    saferepr(new Tuple([Array.from({ length: 1e6 }, () => 'x'.repeat(10)), 'y'.repeat(1e7), Buffer.alloc(1e7)]), 100);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test.each<[unknown, number, string]>([
    ['😀😀😀😀', 3, "'😀😀😀...'"],
    ['ab cd ef', 7, "'ab cd...'"],
    [[1, [2]], 3, '[1, , ...]]'],
    [new Tuple(['abcdef']), 4, "('abc...', ..."],
    [[new Set(), new Set()], 50, '[set(), set()]'],
    [[[[new Set()]]], 50, '[[[set()]]]'],
    [Buffer.from('é'), 1, "b'c3...'"],
  ])('cuts %j at %i characters as Celery does', (value, maxLength, expected) => {
    expect(saferepr(value, maxLength)).toBe(expected);
  });
});
