import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecodeError } from '../../../src/errors.ts';
import { expectEnd, lastMember, scanElements, scanMembers, skipValue } from '../../../src/protocol/json-scan.ts';

const scan = (text: string): void => expectEnd(text, skipValue(text, 0));
const accepts = (accept: () => unknown): boolean => {
  try {
    accept();
    return true;
  } catch {
    return false;
  }
};

describe('the scanner', () => {
  test('accepts whatever JSON.stringify writes, indented or not', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('', ' ', '\t'), (value, indent) => {
        expect(() => scan(JSON.stringify(value, null, indent))).not.toThrow();
      }),
    );
  });

  test('refuses what JSON.parse refuses and accepts what it accepts, on text broken at random', () => {
    const broken = fc
      .tuple(
        fc.jsonValue(),
        fc.nat(),
        fc.nat({ max: 3 }),
        fc.constantFrom('', ...'{}[]",:\\0-.eE+ tfn\n\u0001u'.split('')),
      )
      .map(([value, at, cut, insert]) => {
        const text = JSON.stringify(value);
        const position = at % (text.length + 1);
        return text.slice(0, position) + insert + text.slice(position + cut);
      });
    fc.assert(
      fc.property(broken, (text) => {
        expect([text, accepts(() => scan(text))]).toEqual([text, accepts(() => JSON.parse(text))]);
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['NaN', '[Infinity, -Infinity]', '{"a": NaN}', '-0', '1E400'])('accepts %s as Python does', (text) => {
    expect(() => scan(text)).not.toThrow();
  });

  test.each([
    '-NaN',
    '+1',
    '01',
    '1.',
    '.5',
    '0x1F',
    'nan',
    'True',
    "'a'",
    '"\t"',
    '"\\x41"',
    '"\\u12g4"',
    '[1,]',
    '{"a" 1}',
    '{a: 1}',
    '',
    '\ufeff{}',
    '[1] 2',
    '"',
    '"\\',
    '"\\u12',
  ])('refuses %j with a DecodeError', (text) => {
    expect(() => scan(text)).toThrow(DecodeError);
  });

  test('needs no stack for nesting and escapes by the million', () => {
    expect(() => scan('['.repeat(1e6) + ']'.repeat(1e6))).not.toThrow();
    expect(() => scan('{"a":'.repeat(3e5) + '1' + '}'.repeat(3e5))).not.toThrow();
    expect(() => scan(`"${'\\\\'.repeat(2e6)}"`)).not.toThrow();
    expect(() => scan('['.repeat(1e6))).toThrow('JSON ends too early');
  });

  test('keeps the limits it is given', () => {
    expect(() => skipValue('[[1]]', 0, { maxDepth: 2 })).not.toThrow();
    expect(() => skipValue('[[[]]]', 0, { maxDepth: 2 })).toThrow('deeper than 2 levels');
    expect(() => skipValue('-123', 0, { maxIntDigits: 3 })).not.toThrow();
    expect(() => skipValue('{"a": [1234]}', 0, { maxIntDigits: 3 })).toThrow('more than 3 digits');
    expect(() => skipValue('1234.5', 0, { maxIntDigits: 3 })).not.toThrow();
  });
});

test('scanMembers gives the spans of keys and values, scanElements those of elements', () => {
  const text = ' { "a" : 1 , "b":[2, 3] } ';
  const { members, end } = scanMembers(text, 0);
  expect(members.map(({ keyStart, keyEnd }) => text.slice(keyStart, keyEnd))).toEqual(['"a"', '"b"']);
  expect(members.map(({ valueStart, valueEnd }) => text.slice(valueStart, valueEnd))).toEqual(['1', '[2, 3]']);
  expect(text.slice(end)).toBe(' ');
  const array = '[ [] ,"x"]';
  expect(scanElements(array, 0).elements.map(({ start, end }) => array.slice(start, end))).toEqual(['[]', '"x"']);
});

test('lastMember finds the last of equal keys, however it is escaped', () => {
  const text = '{"key": 1, "k\\u0065y": 2, "other": 3}';
  const member = lastMember(text, scanMembers(text, 0).members, 'key');
  expect(text.slice(member?.valueStart, member?.valueEnd)).toBe('2');
  expect(lastMember(text, scanMembers(text, 0).members, 'none')).toBeUndefined();
});
