import { describe, expect, test } from '@jest/globals';
import { DecodeError } from '../../../src/errors.ts';
import { dateIsoformat, DateTime, Decimal, PlainDate, PlainTime, Uuid } from '../../../src/protocol/typed-values.ts';

describe('DateTime', () => {
  test('is the instant of its text, and a Date', () => {
    const date = new DateTime('2026-01-02T03:04:05.120006+05:30');
    expect(date).toBeInstanceOf(Date);
    expect(date.toISOString()).toBe('2026-01-01T21:34:05.120Z');
    expect(date.isoformat()).toBe('2026-01-02T03:04:05.120006+05:30');
    expect(date.isNaive).toBe(false);
  });

  test('takes a naive time as UTC and stays naive', () => {
    const date = new DateTime('2026-01-02T03:04:05');
    expect(date.isNaive).toBe(true);
    expect(date.getTime()).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(date.isoformat()).toBe('2026-01-02T03:04:05');
  });

  test('gives its new time after a setter, on the same clock, without the old microseconds', () => {
    const date = new DateTime('2026-01-02T03:04:05.120006+05:30');
    date.setUTCHours(date.getUTCHours() + 1);
    expect(date.isoformat()).toBe('2026-01-02T04:04:05.120000+05:30');
    date.setTime(NaN);
    expect(date.isoformat()).toBeNull();
  });

  test('keeps instants that only exist on their own clock', () => {
    expect(new DateTime('0001-01-01T00:00:00+05:00').isoformat()).toBe('0001-01-01T00:00:00+05:00');
    expect(new DateTime('0099-03-01').toISOString()).toBe('0099-03-01T00:00:00.000Z');
    expect(new DateTime('1969-12-31T23:59:59.999999').getTime()).toBe(-1);
  });

  test('refuses other text', () => {
    expect(() => new DateTime('tomorrow')).toThrow(DecodeError);
  });
});

test('a plain Date is printed as an aware datetime in UTC', () => {
  expect(dateIsoformat(new Date(0))).toBe('1970-01-01T00:00:00+00:00');
  expect(dateIsoformat(new Date(1))).toBe('1970-01-01T00:00:00.001000+00:00');
  expect(dateIsoformat(new Date(NaN))).toBeNull();
  expect(dateIsoformat(new Date('+010000-01-01'))).toBeNull();
});

test('PlainDate refuses days that the calendar does not have', () => {
  expect(new PlainDate(2024, 2, 29).toString()).toBe('2024-02-29');
  for (const [year, month, day] of [
    [2026, 2, 29],
    [2026, 13, 1],
    [0, 1, 1],
    [2026, 1, 0],
    [2026.5, 1, 1],
    [NaN, 1, 1],
  ] as const) {
    expect(() => new PlainDate(year, month, day)).toThrow(DecodeError);
  }
  expect(PlainDate.from('2026-01-02T23:00:00-05:00').toString()).toBe('2026-01-02');
});

test('all are text in JSON.stringify and in strings', () => {
  const values = {
    date: new PlainDate(2026, 1, 2),
    time: new PlainTime('03:04'),
    decimal: new Decimal('1.10'),
    uuid: new Uuid('{12345678123456781234567812345678}'),
  };
  expect(JSON.stringify(values)).toBe(
    '{"date":"2026-01-02","time":"03:04:00","decimal":"1.10","uuid":"12345678-1234-5678-1234-567812345678"}',
  );
  expect(`${values.uuid.toString()} ${values.decimal.toString()}`).toBe('12345678-1234-5678-1234-567812345678 1.10');
});

test('Decimal takes numbers exactly', () => {
  expect(new Decimal(5).toString()).toBe('5');
  expect(new Decimal(10n ** 30n).toString()).toBe('1000000000000000000000000000000');
  expect(new Decimal(5e-324).toString()).toMatch(/^4\.9406564584\d+E-324$/);
  expect(() => new Decimal('five')).toThrow(DecodeError);
});

test('Uuid takes an integer of 128 bits', () => {
  expect(Uuid.fromInt(5).toString()).toBe('00000000-0000-0000-0000-000000000005');
  expect(Uuid.fromInt((1n << 128n) - 1n).hex).toBe('f'.repeat(32));
  for (const value of [-1, 1n << 128n, 1.5, NaN]) expect(() => Uuid.fromInt(value)).toThrow(DecodeError);
});
