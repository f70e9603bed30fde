import { deflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { ContentDisallowedError, DecodeError } from '../../../src/errors.ts';
import { bodyBytes, decodeEnvelope, encodeEnvelope, readBody, type Envelope } from '../../../src/protocol/envelope.ts';

const PROPERTIES = '"properties": {"delivery_tag": "x", "body_encoding": "base64"}';
const OPTIONS = { accept: new Set(['application/json']), maxBytes: 1000 };

function envelope(changes: Partial<Envelope>): Envelope {
  return {
    body: '',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: {},
    properties: { delivery_tag: 'x', body_encoding: 'base64' },
    ...changes,
  };
}

describe('decodeEnvelope', () => {
  test.each([
    ['', 'JSON'],
    ['{"body": ', 'JSON'],
    ['[]', 'envelope is an array instead of an object'],
    ['null', 'envelope is null instead of an object'],
    ['{"__type__": "datetime", "__value__": "2026-01-02"}', 'envelope is an extended type'],
    [`{${PROPERTIES}}`, 'body that is missing'],
    [`{"body": {}, ${PROPERTIES}}`, 'body that is an extended type'],
    [`{"body": "", "headers": null, ${PROPERTIES}}`, 'headers that are null'],
    [`{"body": "", "headers": [], ${PROPERTIES}}`, 'headers that are an array'],
    ['{"body": "", "headers": {}}', 'properties that are missing'],
    ['{"body": "", "properties": []}', 'properties that are an array'],
    ['{"body": "", "properties": {}}', 'delivery tag that is missing'],
    ['{"body": "", "properties": {"delivery_tag": 7}}', 'delivery tag that is a number'],
    [`{"body": "", "content-type": 1, ${PROPERTIES}}`, 'content-type that is a number'],
    ['{"body": "", "__proto__": {"properties": {"delivery_tag": "x"}}}', 'properties that are missing'],
  ])('refuses %s with the reason', (raw, reason) => {
    expect(() => decodeEnvelope(raw)).toThrow(DecodeError);
    expect(() => decodeEnvelope(raw)).toThrow(reason);
  });

  test('reads what may be missing as none', () => {
    const read = decodeEnvelope(`{"body": "", ${PROPERTIES}}`);
    expect(read).toMatchObject({ contentType: null, contentEncoding: null, headers: {} });
  });

  test('keeps what JSON.parse would lose or refuse, and writes it again', () => {
    const raw = encodeEnvelope(envelope({ headers: { nan: NaN, big: 2n ** 70n } }));
    expect(raw).toContain('"headers": {"nan": NaN, "big": 1180591620717411303424}');
    expect(encodeEnvelope(decodeEnvelope(raw))).toBe(raw);
  });

  test('takes __proto__ in headers for a header and nothing else', () => {
    const { headers } = decodeEnvelope(`{"body": "", "headers": {"__proto__": {"task": "t"}}, ${PROPERTIES}}`);
    expect(Object.keys(headers)).toEqual(['__proto__']);
    expect(headers['task']).toBeUndefined();
  });
});

describe('bodyBytes', () => {
  test.each([undefined, null, '', 'utf-8', 'UTF-8'])('takes the text itself under the body encoding %j', (encoding) => {
    const text = envelope({ body: '[1, "é"]', properties: { body_encoding: encoding } });
    expect(bodyBytes(text).toString()).toBe('[1, "é"]');
  });

  test.each([
    ['', ''],
    ['YQ==', 'a'],
    ['YWI=', 'ab'],
    ['YWJj', 'abc'],
    ['YWJj\r\nZGVm\n', 'abcdef'],
  ])('reads the base64 %j', (body, expected) => {
    expect(bodyBytes(envelope({ body })).toString()).toBe(expected);
  });

  test('skips foreign characters as Python does, where Node would read another alphabet', () => {
    expect(bodyBytes(envelope({ body: '-_YWJj' })).toString()).toBe('abc');
  });

  test.each(['Y', 'YQ', 'YWJjZ', 'YQ='])('refuses %j, which is cut short', (body) => {
    expect(() => bodyBytes(envelope({ body }))).toThrow(DecodeError);
  });

  test.each(['rot13', 'BASE64', 5, {}])('refuses the unknown encoding %j', (encoding) => {
    expect(() => bodyBytes(envelope({ properties: { body_encoding: encoding } }))).toThrow('unknown body encoding');
  });
});

describe('readBody', () => {
  const base64 = (data: Buffer | string): string => Buffer.from(data).toString('base64');

  test('decodes, decompresses and deserialises', async () => {
    expect(readBody(envelope({ body: base64('[1]') }), OPTIONS)).toEqual([1]);
    expect(readBody(envelope({ body: '[1]', properties: {} }), OPTIONS)).toEqual([1]);
    const packed = envelope({ body: base64(deflateSync('[2]')), headers: { compression: 'application/x-gzip' } });
    expect(await readBody(packed, OPTIONS)).toEqual([2]);
  });

  test('refuses content that is not accepted before anything is read of it', () => {
    const pickled = envelope({ body: base64('x'), contentType: 'application/x-python-serialize' });
    expect(() => readBody(pickled, OPTIONS)).toThrow(ContentDisallowedError);
  });

  test('refuses a body that grows beyond the limit when decompressed', async () => {
    const bomb = envelope({ body: base64(deflateSync(`"${'x'.repeat(5000)}"`)), headers: { compression: 'zlib' } });
    await expect((async () => readBody(bomb, OPTIONS))()).rejects.toThrow(DecodeError);
  });

  test.each([5, ['gzip'], 'rar'])('refuses the compression %j', async (compression) => {
    await expect((async () => readBody(envelope({ headers: { compression } }), OPTIONS))()).rejects.toThrow(
      DecodeError,
    );
  });
});
