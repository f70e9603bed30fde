/** YAML against tables that PyYAML 6.0.3 made (test/fixtures/python). */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecodeError, EncodeError } from '../../../src/errors.ts';
import { dumps, loads } from '../../../src/protocol/json.ts';
import { DateTime, Decimal, PlainTime, Uuid } from '../../../src/protocol/typed-values.ts';
import { dumpYaml } from '../../../src/protocol/yaml-dump.ts';
import { loadYaml } from '../../../src/protocol/yaml.ts';
import { readTable } from '../../support/recorded.ts';

/** Sets and whole floats as the table spells them. */
const spelled = (value: unknown): unknown => {
  if (value instanceof Set) return { set: [...value].sort() };
  if (Array.isArray(value)) return value.map(spelled);
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spelled(item)]));
};
const withoutWholeFloats = (json: string): string => json.replace(/(?<=[\s[:]|^)(-?\d+)\.0(?![\d])/g, '$1');

describe('loadYaml reads what PyYAML safe_load reads', () => {
  const rows = readTable<{ yaml: string; json: string | { error: string } }>('yaml-load.jsonl');
  test.each(rows)('$yaml', ({ yaml, json }) => {
    if (typeof json === 'string') {
      expect(spelled(loadYaml(yaml))).toEqual(loads(withoutWholeFloats(json)));
      expect(dumps(spelled(loadYaml(yaml))).length).toBe(dumps(loads(withoutWholeFloats(json))).length);
    } else {
      expect(() => loadYaml(yaml)).toThrow(DecodeError);
    }
  });

  test('nothing may alias without bounds', () => {
    const laughs = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 0; level < 8; level += 1) {
      const [from, to] = [String.fromCharCode(97 + level), String.fromCharCode(98 + level)];
      laughs.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`);
    }
    expect(() => loadYaml(laughs.join('\n'))).toThrow(/aliases written out/);
    const merges = ['m0: &m0 {a: 1, b: 2}'];
    for (let level = 1; level < 40; level += 1) {
      merges.push(`m${level}: &m${level} {<<: [*m${level - 1}, *m${level - 1}], k${level}: 1}`);
    }
    expect(() => loadYaml(merges.join('\n'))).toThrow(DecodeError);
  });

  test('aliases share one value', () => {
    const { a, b } = loadYaml('a: &x [1]\nb: *x\n') as { a: unknown; b: unknown };
    expect(a).toBe(b);
  });

  test.each([
    ['flow sequences', '['.repeat(20_000)],
    ['block sequences', '- '.repeat(20_000)],
    ['flow mappings', '{a: '.repeat(20_000)],
    ['explicit keys', '? '.repeat(5_000)],
    ['closed sequences', '['.repeat(5_000) + ']'.repeat(5_000)],
  ])('nesting without bounds is refused and does not end the process: %s', (_label, yaml) => {
    expect(() => loadYaml(yaml)).toThrow(DecodeError);
  });

  test('any text gives a value or a DecodeError, never another error', () => {
    const pieces = fc.constantFrom(
      '- ',
      'a',
      ': ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      ', ',
      '&x ',
      '*x',
      '!!set ',
      '!!binary ',
      '!!omap ',
      '<<: ',
      '? ',
      '|\n',
      "'",
      '"',
      '---',
      '...',
      '#',
      '1',
      '=',
      '!x ',
      '\\',
      '%',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          loadYaml(parts.join(''));
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('dumpYaml', () => {
  const rows = readTable<{ json: string; yaml: string }>('yaml-dump.jsonl');
  test.each(rows)('writes what PyYAML safe_dump writes: $yaml', ({ json, yaml }) => {
    expect(dumpYaml(loads(json))).toBe(yaml);
  });

  test('writes sets, Maps, numbers as keys and own fields', () => {
    expect(dumpYaml({ s: new Set(['b', 'a']), e: new Set() })).toBe('e: !!set {}\ns: !!set\n  a: null\n  b: null\n');
    expect(
      dumpYaml(
        new Map<unknown, unknown>([
          [2, 'x'],
          [true, [1]],
          [null, new Map()],
        ]),
      ),
    ).toBe('2: x\ntrue:\n- 1\nnull: {}\n');
    expect(dumpYaml([undefined, { a: undefined }])).toBe('- null\n- {}\n');
    expect(dumpYaml('two\nlines')).toBe('"two\\nlines"\n');
  });

  test.each([
    ['a decimal', new Decimal('1')],
    ['a uuid', new Uuid('1'.repeat(32))],
    ['a time', new PlainTime('01:02')],
    ['an error', new Error('x')],
    ['a function', () => 1],
    ['a list as key', new Map([[[1], 1]])],
    ['an invalid date', new Date(NaN)],
  ])('refuses %s, as PyYAML does', (_label, value) => {
    expect(() => dumpYaml({ a: [value] })).toThrow(EncodeError);
  });

  test('refuses cycles', () => {
    const list: unknown[] = [];
    list.push(list);
    expect(() => dumpYaml(list)).toThrow(/contains itself/);
  });

  test('what it writes, loadYaml reads back to the same', () => {
    const values = fc.anything({
      key: fc.oneof(
        fc.string(),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('__proto__', 'y', '<<', '=', '1', ''),
      ),
      values: [
        fc.string(),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('yes', '~', '1:30', '- a', 'a: b', '#', ' ', '\n', 'a\n\nb ', '017', '...', '---'),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt({ min: 2n ** 53n }),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        fc.constant(new DateTime('2026-01-02T03:04:05.000006-05:00')),
      ],
      maxDepth: 4,
    });
    fc.assert(
      fc.property(values, (value) => {
        expect(loadYaml(dumpYaml(value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});
