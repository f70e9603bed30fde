import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isoformat, parseIso8601, zoneOffsetMinutes } from '../../../src/protocol/iso8601.ts';

describe('parseIso8601', () => {
  test.each([
    ['2026', '2026-01-01T00:00:00'],
    ['2026-W53', '2026-12-28T00:00:00'],
    ['2026W531', '2026-12-28T00:00:00'],
    ['2024-060', '2024-02-29T00:00:00'],
    ['2024366T12', '2024-12-31T12:00:00'],
    ['2026-01-02T0304', '2026-01-02T03:04:00'],
    ['2026-01-02x03:04:05.000001', '2026-01-02T03:04:05.000001'],
    ['0001-01-01', '0001-01-01T00:00:00'],
    ['0099-12-31T23:59:59', '0099-12-31T23:59:59'],
  ])('reads %s as naive %s', (text, expected) => {
    const instant = parseIso8601(text);
    expect(instant).toMatchObject({ hasOffset: false, offsetMinutes: null });
    expect(isoformat(instant?.epochMs ?? NaN, null)).toBe(expected);
  });

  test.each([
    ['2026-01-02T03:04:05z', 0],
    ['2026-01-02T+05', 300],
    ['20260102T030405-0930', -570],
  ])('reads the offset of %s as %i minutes', (text, offsetMinutes) => {
    expect(parseIso8601(text)).toMatchObject({ hasOffset: true, offsetMinutes });
  });

  test.each([
    '2026-13-01',
    '2026-02-29',
    '2026-00-10',
    '0000-01-01',
    '2026-W54-1',
    '2026-W01-8',
    '2026-366',
    '202601',
    '2026-01-02T',
    '2026-01-02T3',
    '2026-01-02T25',
    '2026-01-02T24:00:01',
    '2026-01-02T03:60',
    '2026-01-02T03:04:60',
    '2026-01-02T03:0405',
    '2026-01-02T0304:05',
    '2026-01-02T03.5',
    '2026-01-02T03:04:05+24:00',
    '2026-01-02T03:04:05+05:60',
    '2026-01-02T03:04:05+5',
    '2026-01-02T03:04:05Zulu',
    ' 2026-01-02',
    '٢٠٢٦-01-02',
    '-2026-01-02',
  ])('refuses %j', (text) => {
    expect(parseIso8601(text)).toBeNull();
  });

  test('answers at once to long nonsense', () => {
    const started = performance.now();
    expect(parseIso8601(`2026-01-02T03:04:05.${'1'.repeat(200_000)}x`)).toBeNull();
    expect(parseIso8601('2'.repeat(200_000))).toBeNull();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

test('every microsecond of the years 1830 to 2109, in any zone, is read as it was written', () => {
  const micros = fc.integer({ min: -(2 ** 42), max: 2 ** 42 });
  fc.assert(
    fc.property(micros, fc.integer({ min: 0, max: 999 }), fc.integer({ min: -1439, max: 1439 }), (ms, us, offset) => {
      const text = isoformat(ms + us / 1000, offset);
      const instant = parseIso8601(text);
      expect(instant?.offsetMinutes).toBe(offset);
      expect(isoformat(instant?.epochMs ?? NaN, offset)).toBe(text);
    }),
  );
});

test('isoformat leaves zero microseconds out and refuses what is no instant', () => {
  expect(isoformat(0)).toBe('1970-01-01T00:00:00+00:00');
  expect(isoformat(-0.001)).toBe('1969-12-31T23:59:59.999999+00:00');
  expect(isoformat(1_000.5, -90)).toBe('1969-12-31T22:30:01.000500-01:30');
  expect(() => isoformat(NaN)).toThrow(RangeError);
  expect(() => isoformat(8.64e15)).toThrow(RangeError);
});

test('knows the offset of a zone in summer and winter', () => {
  expect(zoneOffsetMinutes('Europe/Paris', Date.UTC(2026, 0, 1))).toBe(60);
  expect(zoneOffsetMinutes('Europe/Paris', Date.UTC(2026, 6, 1))).toBe(120);
  expect(zoneOffsetMinutes('America/St_Johns', Date.UTC(2026, 0, 1))).toBe(-210);
  expect(zoneOffsetMinutes('UTC', 0)).toBe(0);
  expect(() => zoneOffsetMinutes('Nowhere/Land', 0)).toThrow(RangeError);
});
