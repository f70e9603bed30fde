import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecodeError } from '../../../src/errors.ts';
import {
  assertRestorable,
  entryText,
  markRedelivered,
  normalizeHeaders,
  parseEntry,
} from '../../../src/protocol/redelivery.ts';

const ENVELOPE =
  '{"body": "W10=", "headers": {"task": "t"}, "properties": {"delivery_info": {"exchange": ""}, "delivery_tag": "x"}}';
const withHeaders = (headers: string): string => ENVELOPE.replace('{"task": "t"}', headers);
const withProperties = (properties: string): string =>
  ENVELOPE.replace(/"properties": .*\}/, `"properties": ${properties}}`);

/** Any JSON text of an envelope: values, white space, escapes and repeated keys as others may write them. */
const anyEnvelope = fc
  .record({
    headers: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
    hadFlag: fc.constantFrom(undefined, true, false, null, 'yes', [{ redelivered: 1 }]),
    properties: fc.dictionary(fc.string(), fc.jsonValue()),
    deliveryInfo: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
    rest: fc.dictionary(fc.string(), fc.jsonValue()),
    indent: fc.constantFrom('', '  ', '\t'),
    escapesKeys: fc.boolean(),
  })
  .map(({ headers, hadFlag, properties, deliveryInfo, rest, indent, escapesKeys }) => {
    const flags = hadFlag === undefined ? {} : { redelivered: hadFlag };
    const info = deliveryInfo && { delivery_info: { ...flags, ...deliveryInfo } };
    const envelope = {
      ...rest,
      ...(headers && { headers: { ...headers, ...flags } }),
      properties: { ...properties, ...info, delivery_tag: 'x' },
    };
    if (info === undefined) delete (envelope.properties as Record<string, unknown>)['delivery_info'];
    if (headers === undefined) delete (envelope as Record<string, unknown>)['headers'];
    const text = JSON.stringify(envelope, null, indent);
    return escapesKeys ? text.replaceAll('"redelivered":', '"re\\u0064elivered":') : text;
  });

describe('markRedelivered', () => {
  test('gives the JSON with both flags set, whatever the envelope holds', () => {
    fc.assert(
      fc.property(anyEnvelope, (raw) => {
        const expected = JSON.parse(raw) as Record<string, Record<string, unknown>>;
        const headers = (expected['headers'] ??= {});
        headers['redelivered'] = true;
        const properties = expected['properties'] ?? {};
        const info = (properties['delivery_info'] ??= {}) as Record<string, unknown>;
        info['redelivered'] = true;
        expect(JSON.parse(markRedelivered(raw))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('changes at most two places and leaves all other text as it is', () => {
    const flag = /(, )?"redelivered": true/g;
    fc.assert(
      fc.property(anyEnvelope, (raw) => {
        // Only additions to what is there can be taken out again.
        fc.pre(raw.includes('"headers"') && raw.includes('"delivery_info"') && !raw.includes('elivered":'));
        const marked = markRedelivered(raw);
        expect(marked.replace(flag, '')).toBe(raw);
      }),
      { numRuns: 500 },
    );
  });

  test('is done once and for all', () => {
    fc.assert(
      fc.property(anyEnvelope, (raw) => {
        const marked = markRedelivered(raw);
        expect(markRedelivered(marked)).toBe(marked);
      }),
    );
  });

  test('works on bytes read as latin1 without touching them', () => {
    const raw = withHeaders('{"naïve ☃": "😀", "n": 12345678901234567890.0}');
    const bytes = Buffer.from(raw);
    const marked = Buffer.from(markRedelivered(bytes.toString('latin1')), 'latin1');
    expect(marked.toString()).toBe(markRedelivered(raw));
    const invalid = Buffer.concat([Buffer.from('{"body":"'), Buffer.from([0xff, 0xfe]), bytes.subarray(10)]);
    expect(markRedelivered(invalid.toString('latin1'))).toContain('\xff\xfe');
  });

  test.each([
    [withHeaders('{}'), withHeaders('{"redelivered": true}')],
    [withHeaders('{ }'), withHeaders('{ "redelivered": true}')],
    [withHeaders('{"redelivered": {"redelivered": 0}}'), withHeaders('{"redelivered": true}')],
    [withHeaders('{"redelivered":false,"redelivered":null}'), withHeaders('{"redelivered":false,"redelivered":true}')],
    [
      withHeaders('{"x": "\\"redelivered\\": false"}'),
      withHeaders('{"x": "\\"redelivered\\": false", "redelivered": true}'),
    ],
    [withHeaders('null, "headers": {}'), withHeaders('null, "headers": {"redelivered": true}')],
    [
      withHeaders('{"n": NaN, "big": 9007199254740993}'),
      withHeaders('{"n": NaN, "big": 9007199254740993, "redelivered": true}'),
    ],
  ])('marks %s', (raw, expected) => {
    const info = '{"exchange": ""}';
    expect(markRedelivered(raw)).toBe(expected.replace(info, '{"exchange": "", "redelivered": true}'));
  });

  test.each([
    '',
    '[]',
    '{}',
    'null',
    '{"headers": {}',
    withHeaders('[]'),
    withHeaders('null'),
    withProperties('[]'),
    withProperties('{"delivery_info": 1}'),
  ])('refuses %j with a DecodeError', (raw) => {
    expect(() => markRedelivered(raw)).toThrow(DecodeError);
  });
});

describe('parseEntry', () => {
  test('takes apart what entryText wrote, text unchanged', () => {
    fc.assert(
      fc.property(anyEnvelope, fc.string({ unit: 'grapheme' }), (raw, queue) => {
        const entry = entryText(raw, queue);
        expect(parseEntry(entry)).toEqual({ raw, exchange: '', routingKey: queue });
        const { exchange, routingKey } = parseEntry(Buffer.from(entry).toString('latin1'));
        expect([exchange, routingKey]).toEqual(['', queue]);
      }),
    );
  });

  test('reads an entry as Python writes it', () => {
    expect(parseEntry(`[${ENVELOPE}, "my ex", "r\\u00e9"]`)).toEqual({
      raw: ENVELOPE,
      exchange: 'my ex',
      routingKey: 'ré',
    });
    expect(parseEntry(` [ ${ENVELOPE} ,"","k" ] `).raw).toBe(ENVELOPE);
  });

  test.each([
    '',
    '{}',
    '[]',
    `[${ENVELOPE}, "e"]`,
    `[${ENVELOPE}, "e", "r", 1]`,
    `[${ENVELOPE}, null, "r"]`,
    `[${ENVELOPE}, "e", null]`,
    `["raw", "e", "r"]`,
    `[${ENVELOPE}, "e", "r"] x`,
    `[${ENVELOPE} "e", "r"]`,
  ])('refuses %j with a DecodeError', (text) => {
    expect(() => parseEntry(text)).toThrow(DecodeError);
  });
});

describe('assertRestorable', () => {
  const typed = (type: string, value: string): string =>
    withHeaders(`{"s": {"__type__": "${type}", "__value__": ${value}}}`);
  const nested = (depth: number): string => withHeaders(`{"d": ${'['.repeat(depth)}${']'.repeat(depth)}}`);

  test.each([
    ENVELOPE,
    ENVELOPE.replace(' "headers": {"task": "t"},', ''),
    withHeaders('{"n": NaN, "i": -Infinity, "e": 1e999}'),
    withHeaders(`{"n": ${'9'.repeat(4300)}}`),
    withHeaders(`{"f": ${'9'.repeat(5000)}.0}`),
    nested(98),
    typed('datetime', '"2026-01-02T03:04:05Z"'),
    typed('uuid', '{"hex": "12345678123456781234567812345678"}'),
    withHeaders('{"__type__": "x", "__value__": 1, "third": 1}'),
    withHeaders('{"surrogate": "\\ud800"}'),
    withProperties('{"delivery_info": {}, "delivery_tag": "x", "priority": "high"}'),
    withProperties('{"delivery_info": {}, "delivery_tag": "x", "priority": NaN}'),
    `  ${ENVELOPE}\n`,
  ])('passes %s', (raw) => {
    expect(() => assertRestorable(raw)).not.toThrow();
    expect(() => assertRestorable(Buffer.from(raw))).not.toThrow();
  });

  test.each([
    ['text that is no JSON', '{"body": '],
    ['a list', '[]'],
    ['text behind it', `${ENVELOPE},`],
    ['Python words', withHeaders('{"a": nan}')],
    ['hexadecimal numbers', withHeaders('{"a": 0x1F}')],
    ['an integer of 4301 digits', withHeaders(`{"n": -${'9'.repeat(4301)}}`)],
    ['deep nesting', nested(99)],
    ['very deep nesting', nested(200_000)],
    ['headers that are null', withHeaders('null')],
    ['headers that are a list', withHeaders('[["task", "t"]]')],
    ['headers whose last word is null', withHeaders('{}, "headers": null')],
    ['headers of an extended type', withHeaders('{"__type__": "datetime", "__value__": "2026-01-02"}')],
    ['the same, escaped', withHeaders('{"\\u005f_type__": "bytes", "__v\\u0061lue__": "x"}')],
    ['an unknown type', typed('set', '[1]')],
    ['a date that is none', typed('datetime', '"yesterday"')],
    ['a decimal that is none', typed('decimal', '"one"')],
    ['no properties', ENVELOPE.replace('"properties"', '"props"')],
    ['properties that are null', withProperties('null')],
    ['no delivery_info', withProperties('{"delivery_tag": "x"}')],
    ['delivery_info that is null', withProperties('{"delivery_info": null, "delivery_tag": "x"}')],
    ['no delivery tag', withProperties('{"delivery_info": {}}')],
    ['a delivery tag that is a number', withProperties('{"delivery_info": {}, "delivery_tag": 1}')],
    ['a delivery tag that is no Unicode', withProperties('{"delivery_info": {}, "delivery_tag": "\\ud800"}')],
    ['an infinite priority', withProperties('{"delivery_info": {}, "delivery_tag": "x", "priority": -1e999}')],
    ['a byte order mark', `\ufeff${ENVELOPE}`],
    ['a control character', withHeaders('{"a": "\n"}')],
  ])('refuses %s with a DecodeError', (_reason, raw) => {
    expect(() => assertRestorable(raw)).toThrow(DecodeError);
    expect(() => assertRestorable(Buffer.from(raw))).toThrow(DecodeError);
  });

  test('tells a real replacement character from damaged bytes only when it is given the bytes', () => {
    const real = Buffer.from(withHeaders('{"a": "\ufffd"}'));
    const damaged = Buffer.concat([real.subarray(0, 10), Buffer.from([0xc3]), real.subarray(10)]);
    expect(() => assertRestorable(real)).not.toThrow();
    expect(() => assertRestorable(damaged)).toThrow('envelope is not UTF-8');
    expect(() => assertRestorable(real.toString())).toThrow(DecodeError);
    expect(() => assertRestorable(damaged.toString())).toThrow(DecodeError);
  });
});

describe('normalizeHeaders', () => {
  test('puts an empty object where there are none, and leaves other headers alone', () => {
    expect(normalizeHeaders(withHeaders('null'))).toBe(withHeaders('{}'));
    expect(normalizeHeaders('{"body": ""}')).toBe('{"body": "", "headers": {}}');
    expect(normalizeHeaders('{}')).toBe('{"headers": {}}');
    for (const raw of [ENVELOPE, withHeaders('[]')]) expect(normalizeHeaders(raw)).toBe(raw);
    expect(() => normalizeHeaders('[]')).toThrow(DecodeError);
  });
});
