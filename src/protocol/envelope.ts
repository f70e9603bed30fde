/**
 * Kombu's Redis JSON: one text a message, its body encoded inside. The body stays as it came until somebody asks.
 * Counterpart: kombu/transport/virtual/base.py (Message, prepare_message, decode_body), 5.6.2.
 * `headers` and `properties` are the parsed objects themselves, not copies: whoever changes them changes the envelope.
 */
import { DecodeError } from '../errors.ts';
import { decodeBase64 } from './bytes.ts';
import { decompress } from './compression.ts';
import { dumps, loads } from './json.ts';
import { decodePayload } from './serializers.ts';

export interface Envelope {
  /** The payload, encoded as `properties.body_encoding` says. */
  body: string;
  /** MIME type of the payload; null is taken for raw bytes. */
  contentType: string | null;
  /** Character set of the payload, or `binary`. */
  contentEncoding: string | null;
  headers: Record<string, unknown>;
  properties: Record<string, unknown>;
}

export interface ReadBodyOptions {
  /** Content types that may be decoded. */
  accept: ReadonlySet<string>;
  /** Longest body to decompress to, in bytes. */
  maxBytes: number;
}

/**
 * Reads the text of a message. Missing headers are read as none, as kombu reads them.
 * @throws DecodeError when it is no JSON, or no envelope that names its body, its properties and its delivery tag
 */
export function decodeEnvelope(raw: string): Envelope {
  const message = loads(raw);
  if (!isObject(message)) throw new DecodeError(`envelope is ${nameOf(message)} instead of an object`);
  const body = message['body'];
  if (typeof body !== 'string')
    throw new DecodeError(`envelope has a body that is ${nameOf(body)} instead of a string`);
  const headers = message['headers'] === undefined ? {} : message['headers'];
  if (!isObject(headers))
    throw new DecodeError(`envelope has headers that are ${nameOf(headers)} instead of an object`);
  const properties = message['properties'];
  if (!isObject(properties)) {
    throw new DecodeError(`envelope has properties that are ${nameOf(properties)} instead of an object`);
  }
  const tag = properties['delivery_tag'];
  if (typeof tag !== 'string') {
    throw new DecodeError(`envelope has a delivery tag that is ${nameOf(tag)} instead of a string`);
  }
  return {
    body,
    contentType: optionalText(message, 'content-type'),
    contentEncoding: optionalText(message, 'content-encoding'),
    headers,
    properties,
  };
}

/**
 * The text Python would publish, byte for byte: its key order, ASCII only.
 * @throws EncodeError when a header or property is no data
 */
export function encodeEnvelope(envelope: Envelope): string {
  return dumps({
    body: envelope.body,
    'content-encoding': envelope.contentEncoding,
    'content-type': envelope.contentType,
    headers: envelope.headers,
    properties: envelope.properties,
  });
}

/**
 * The payload as bytes: what was serialised, perhaps compressed.
 * @throws DecodeError when the encoding is unknown or the body is not in it
 */
export function bodyBytes(envelope: Envelope): Buffer {
  const encoding = envelope.properties['body_encoding'];
  if (encoding === 'base64') return base64Bytes(envelope.body);
  if (isText(encoding)) return Buffer.from(envelope.body, 'utf8');
  throw new DecodeError(`unknown body encoding ${shown(encoding)} (known: base64, utf-8)`);
}

/**
 * The payload as a value: decoded, decompressed, deserialised. A promise only where the decompressor needs one.
 * @throws DecodeError when one of the three fails (rejects with it, where a promise is returned)
 * @throws ContentDisallowedError when the content type is not to be decoded
 */
export function readBody(envelope: Envelope, options: ReadBodyOptions): unknown {
  const { contentType, contentEncoding } = envelope;
  const decode = (data: Buffer | string): unknown => decodePayload(data, contentType, contentEncoding, options.accept);
  const compression = envelope.headers['compression'];
  if (!compression) return decode(isText(envelope.properties['body_encoding']) ? envelope.body : bodyBytes(envelope));
  if (typeof compression !== 'string') throw new DecodeError(`compression header is ${shown(compression)}, not a name`);
  const data = decompress(bodyBytes(envelope), compression, options.maxBytes);
  return Buffer.isBuffer(data) ? decode(data) : data.then(decode);
}

/** Whether the body is the payload itself. */
function isText(encoding: unknown): boolean {
  return !encoding || (typeof encoding === 'string' && encoding.toLowerCase() === 'utf-8');
}

/** Node skips what is no base64 and takes `-_` for `+/`; Python does not. The exact length tells that nothing was. */
function base64Bytes(body: string): Buffer {
  const bytes = Buffer.from(body, 'base64');
  const padding = body.endsWith('==') ? 2 : body.endsWith('=') ? 1 : 0;
  const isPlain = bytes.length === (body.length / 4) * 3 - padding && !body.includes('-') && !body.includes('_');
  return isPlain ? bytes : decodeBase64(body);
}

function optionalText(message: Record<string, unknown>, name: string): string | null {
  const value = message[name] ?? null;
  if (value === null || typeof value === 'string') return value;
  throw new DecodeError(`envelope has a ${name} that is ${nameOf(value)} instead of a string`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an extended type' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : nameOf(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
