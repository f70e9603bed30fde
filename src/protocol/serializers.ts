/**
 * Payload to bytes and back by content type. Counterpart: kombu/serialization.py, 5.6.2.
 * What may be decoded is decided before a byte of it is looked at; pickle is code, and is never decoded here.
 */
import { types } from 'node:util';
import { ConfigError, ContentDisallowedError, DecodeError, EncodeError } from '../errors.ts';
import { decodeUtf8, isWellFormed, toBuffer } from './bytes.ts';
import { describe } from './encodable.ts';
import { dumps, loads } from './json.ts';
import { unpackMsgpack } from './msgpack-reader.ts';
import { packMsgpack } from './msgpack.ts';
import { dumpYaml } from './yaml-dump.ts';
import { loadYaml } from './yaml.ts';

export interface EncodedPayload {
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly data: string | Buffer;
}

const JSON_TYPE = 'application/json';
const MSGPACK_TYPE = 'application/x-msgpack';
const YAML_TYPE = 'application/x-yaml';
const TEXT_TYPE = 'text/plain';
const DATA_TYPE = 'application/data';
const PICKLE_TYPE = 'application/x-python-serialize';

/** The names that people write, and what they mean on the wire. */
const CONTENT_TYPES = new Map([
  ['json', JSON_TYPE],
  ['msgpack', MSGPACK_TYPE],
  ['yaml', YAML_TYPE],
  ['x-yaml', YAML_TYPE],
  ['text', TEXT_TYPE],
  ['raw', DATA_TYPE],
  ['pickle', PICKLE_TYPE],
]);

/** Decoded whatever is accepted: nothing in them is interpreted. */
const TRUSTED = new Set([DATA_TYPE, 'application/text']);

const known = (): string => [...CONTENT_TYPES.keys()].filter((name) => name !== 'pickle').join(', ');

/** The content type that a serializer's name stands for; a mime type stands for itself. */
export function contentTypeOf(name: string): string | undefined {
  return name.includes('/') ? name : CONTENT_TYPES.get(name);
}

/**
 * The content types to accept, from names (`json`, `msgpack`, `yaml`, `text`, `raw`) or mime types.
 * @throws ConfigError on an unknown name, and on pickle
 */
export function acceptSet(names: Iterable<string>): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const name of names) {
    const contentType = contentTypeOf(name);
    if (contentType === undefined) throw new ConfigError(`unknown serializer "${name}" (known: ${known()})`);
    if (contentType === PICKLE_TYPE) {
      throw new ConfigError('pickle cannot be accepted: it is Python code, and whoever sends it runs it; use json');
    }
    accepted.add(contentType);
  }
  return accepted;
}

const typeOf = (contentType: string | null | undefined): string =>
  contentType === null || contentType === undefined || contentType === '' ? DATA_TYPE : contentType;

/** Whether `decodePayload` would decode that content type; absent means application/data. Pickle never is. */
export function isAccepted(contentType: string | null | undefined, accept: ReadonlySet<string>): boolean {
  const type = typeOf(contentType);
  return type !== PICKLE_TYPE && (TRUSTED.has(type) || accept.has(type));
}

/**
 * Serializes a payload. Without a serializer (null) a string is text/plain, bytes are application/data, all else JSON.
 * `data` is a string where the encoding is UTF-8 text, so that the caller encodes it only once.
 * @throws EncodeError
 */
export function encodePayload(value: unknown, serializer: string | null): EncodedPayload {
  switch (serializer === null ? defaultTypeOf(value) : contentTypeOf(serializer)) {
    case JSON_TYPE:
      return { contentType: JSON_TYPE, contentEncoding: 'utf-8', data: dumps(value) };
    case MSGPACK_TYPE:
      return { contentType: MSGPACK_TYPE, contentEncoding: 'binary', data: packMsgpack(value) };
    case YAML_TYPE:
      return { contentType: YAML_TYPE, contentEncoding: 'utf-8', data: dumpYaml(value) };
    case TEXT_TYPE:
      return { contentType: TEXT_TYPE, contentEncoding: 'utf-8', data: asText(value) };
    case DATA_TYPE:
      if (typeof value === 'string') return { contentType: DATA_TYPE, contentEncoding: 'utf-8', data: asText(value) };
      if (!types.isUint8Array(value)) throw new EncodeError(`raw takes bytes or a string, not ${describe(value)}`);
      return { contentType: DATA_TYPE, contentEncoding: 'binary', data: toBuffer(value) };
    case PICKLE_TYPE:
      throw new EncodeError('pickle is not supported; use json');
    default:
      throw new EncodeError(`unknown serializer "${String(serializer)}" (known: ${known()})`);
  }
}

function defaultTypeOf(value: unknown): string {
  if (typeof value === 'string') return TEXT_TYPE;
  return types.isUint8Array(value) ? DATA_TYPE : JSON_TYPE;
}

function asText(value: unknown): string {
  if (typeof value !== 'string') throw new EncodeError(`text takes a string, not ${describe(value)}`);
  if (!isWellFormed(value)) throw new EncodeError('the text holds a lone surrogate, which UTF-8 cannot');
  return value;
}

/**
 * The payload back from its bytes (or from its text, when the envelope carried it as such). An accepted type that no
 * decoder knows is text, or bytes when its encoding is binary; an empty payload is returned as it is.
 * @param contentType absent or empty means application/data
 * @param accept from `acceptSet`
 * @throws ContentDisallowedError before looking at the data
 * @throws DecodeError
 */
export function decodePayload(
  data: Buffer | string,
  contentType: string | null | undefined,
  contentEncoding: string | null | undefined,
  accept: ReadonlySet<string>,
): unknown {
  const type = typeOf(contentType);
  if (type === PICKLE_TYPE) throw new ContentDisallowedError('pickle content is never decoded: it could run any code');
  if (!isAccepted(type, accept)) {
    const accepted = [...accept].join(', ');
    throw new ContentDisallowedError(`content type "${type.slice(0, 80)}" is not accepted (accepted: ${accepted})`);
  }
  if (data.length === 0) return data;
  switch (type) {
    case JSON_TYPE:
      return loads(typeof data === 'string' ? data : decodeUtf8(data));
    case MSGPACK_TYPE:
      if (typeof data === 'string') throw new DecodeError('msgpack is bytes, but the envelope carries text');
      return unpackMsgpack(data);
    case YAML_TYPE:
      return loadYaml(typeof data === 'string' ? data : decodeUtf8(data));
    default:
      return typeof data === 'string' ? data : decodeText(data, contentEncoding ?? '');
  }
}

function decodeText(data: Buffer, contentEncoding: string): string | Buffer {
  const encoding = contentEncoding === '' ? 'utf-8' : contentEncoding.toLowerCase();
  switch (encoding) {
    case 'binary':
    case 'ascii-8bit':
      return data;
    case 'utf-8':
    case 'utf8':
      return decodeUtf8(data);
    case 'ascii':
    case 'us-ascii':
      if (data.some((byte) => byte > 0x7f)) throw new DecodeError('the bytes are not ASCII');
      return data.toString('latin1');
    case 'latin-1':
    case 'latin1':
    case 'iso-8859-1': // TextDecoder would take this for windows-1252
      return data.toString('latin1');
    default:
      try {
        return new TextDecoder(encoding, { fatal: true }).decode(data);
      } catch (cause) {
        throw new DecodeError(`cannot decode content in encoding "${encoding.slice(0, 80)}"`, { cause });
      }
  }
}
