/** Text forms of dates, times, decimals, floats and JSON, against tables that Python made (test/fixtures/python). */
import { describe, expect, test } from '@jest/globals';
import { CeleriacError, DecodeError } from '../../../src/errors.ts';
import { dumps, loads } from '../../../src/protocol/json.ts';
import { DateTime, Decimal, PlainTime } from '../../../src/protocol/typed-values.ts';
import { readTable } from '../../support/recorded.ts';

type Outcome = string | { error: string };

/** What our side gives: the text, or that it refused; any other error fails the test. */
function outcome(attempt: () => string | null): string | null {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof DecodeError) return 'refused';
    throw error;
  }
}

const expected = (recorded: Outcome): string => (typeof recorded === 'string' ? recorded : 'refused');

describe('ISO 8601 text is read as CPython 3.11 reads it', () => {
  const rows = readTable<{ text: string; datetime: Outcome; time: Outcome }>('iso.jsonl');
  test.each(rows)('$text', ({ text, datetime, time }) => {
    expect(outcome(() => new DateTime(text).isoformat())).toBe(expected(datetime));
    expect(outcome(() => new PlainTime(text).toString())).toBe(expected(time));
  });
});

describe('decimals are what str(Decimal(...)) prints', () => {
  test.each(readTable<{ text: string; str: Outcome }>('decimal.jsonl'))('$text', ({ text, str }) => {
    expect(outcome(() => new Decimal(text).toString())).toBe(expected(str));
  });

  test.each(readTable<{ number: number; str: string }>('decimal-float.jsonl'))('of the float $number', (row) => {
    expect(new Decimal(row.number).toString()).toBe(row.str);
  });
});

test.each(readTable<{ bits: string; json: string }>('float.jsonl'))('the float $json is written so', (row) => {
  expect(dumps(Buffer.from(row.bits, 'hex').readDoubleBE())).toBe(row.json);
});

/** Python keeps 1.0 and -0.0 apart from integers, JavaScript only the latter. */
const withoutWholeFloats = (json: string): string =>
  json.replace(/-?\d+\.0(?!\d)/g, (float) => (float === '-0.0' ? float : float.slice(0, -2)));

describe('JSON is accepted, refused and understood as kombu does', () => {
  test.each(readTable<{ json: string; again: Outcome }>('json.jsonl'))('$json', ({ json, again }) => {
    const written = outcome(() => dumps(loads(json)));
    if (typeof again === 'string' && /^[^"]*\.0/.test(again)) expect(written).toBe(withoutWholeFloats(again));
    else expect(written).toBe(expected(again));
  });

  test.each([
    ['arrays', '['.repeat(200_000)],
    ['objects', '{"a":'.repeat(200_000)],
    ['closed arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['closed arrays with NaN', `${'['.repeat(100_000)}NaN${']'.repeat(100_000)}`],
    ['513 levels', '['.repeat(513) + ']'.repeat(513)],
    ['513 levels with NaN', `${'['.repeat(513)}NaN${']'.repeat(513)}`],
  ])('nesting without bounds is refused: %s', (_label, json) => {
    expect(() => loads(json)).toThrow(CeleriacError);
  });

  test('512 levels are read and written', () => {
    for (const inner of ['', '1', 'NaN']) {
      const json = '['.repeat(512) + inner + ']'.repeat(512);
      expect(dumps(loads(json))).toBe(json);
    }
  });
});
