/**
 * Damages recorded messages in every way a message was ever seen damaged, and some more. Two levels: the message as a
 * value (another type here, a key more, a body that is compressed wrongly), then its bytes (flips, cuts, splices).
 */
import { randomUUID } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Random } from './random.ts';

/** JSON text that JSON.stringify would not write. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Json = Raw | null | boolean | number | string | Json[] | { [key: string]: Json };
type Dict = { [key: string]: Json };

/** A recorded message: the envelope without its body, and the body as a value. */
export interface Recording {
  readonly envelope: Dict;
  readonly body: Json;
  /** The body exactly as recorded, where it was. */
  readonly encoded?: string;
}

const deep = (levels: number, open = '[', close = ']'): Raw => new Raw(open.repeat(levels) + close.repeat(levels));

/** Values that stand where others are expected. */
const ODD: readonly Json[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, '', ' ', 'x', 'é', '\u0000', '\u001b[31mred', '\ufffd', '💥'],
  ...['2020-13-45T99:99:99', '2038-01-19T03:14:08', '9999-12-31T23:59:59.999999+00:00', 'NaN', '__proto__', '../etc'],
  ...['1e999', '-1e999', 'NaN', 'Infinity', '-Infinity', '-0', '9007199254740993', '1E+5'].map((text) => new Raw(text)),
  ...['0x10', '01', '1.', '.5', '-.5', '+1', '-', '1_000', 'nan', 'True', 'undefined'].map((text) => new Raw(text)),
  ...[new Raw('9'.repeat(400)), new Raw('9'.repeat(5_000)), new Raw(`-${'1'.repeat(4_300)}`), 'A'.repeat(70_000)],
  ...['"\\ud83d"', '"\\udc00\\ud800"', '"\\u0041"', '"\\x41"', '"\t"', '"a\nb"'].map((text) => new Raw(text)),
  ...[[], {}, [[]], [null], [1, 2, 3, 4], { a: 1 }, { '0': 1 }, [{}], [['a', 1]]],
  ...[deep(60), deep(98), deep(120), deep(1_100), deep(60, '{"a":', '}'), deep(6_000)],
  ...['{"__proto__": {"polluted": 1}}', '{"constructor": {"prototype": {"polluted": 1}}}'].map((text) => new Raw(text)),
  ...['{"a": 1, "a": [2]}', '{"\\u005f_type__": "x", "__value__": 1}', '{"": ""}'].map((text) => new Raw(text)),
  { __type__: 'datetime', __value__: '2020-01-01T00:00:00' },
  { __type__: 'datetime', __value__: 'yesterday' },
  { __type__: 'decimal', __value__: '1.10' },
  { __type__: 'uuid', __value__: { hex: 'zz' } },
  { __type__: 'bytes', __value__: 'x' },
  { __type__: 'nope', __value__: 1 },
];

const KEYS: readonly string[] = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__type__', '__value__', 'then', ''],
  ...['headers', 'properties', 'body', 'delivery_tag', 'delivery_info', 'priority', 'body_encoding', 'compression'],
  ...['task', 'id', 'eta', 'expires', 'retries', 'timelimit', 'args', 'kwargs', 'callbacks', 'chord', 'redelivered'],
];

const CONTENT_TYPES: readonly Json[] = [
  ...['application/json', 'application/x-yaml', 'application/x-msgpack', 'application/x-python-serialize'],
  ...['application/data', 'application/text', 'text/plain', 'application/xml', 'APPLICATION/JSON', '', null],
];
const ENCODINGS: readonly Json[] = [
  ...['utf-8', 'UTF8', 'binary', 'ascii', 'latin-1', 'utf-16', 'utf-7', 'nope', '', null, 7, 'ascii-8bit'],
];
const COMPRESSIONS: readonly Json[] = [
  ...['application/x-gzip', 'gzip', 'zlib', 'application/x-bz2', 'bzip2', 'application/x-lzma', 'xz'],
  ...['application/x-brotli', 'brotli', 'application/zstd', 'zstd', 'lz4', '', null, 7, {}],
];
/** What a body may be compressed to, whatever its header says. */
const PACKERS: readonly ((bytes: Buffer) => Buffer)[] = [
  deflateSync,
  gzipSync,
  brotliCompressSync,
  (bytes) => deflateSync(bytes).subarray(0, -5),
  (bytes) => Buffer.concat([deflateSync(bytes), Buffer.from('trailing')]),
  () => deflateSync(Buffer.alloc(4_000_000)),
  (bytes) => bytes,
];
/** Bodies no JSON writer makes, for whatever content type. */
const BODIES: readonly (string | Buffer)[] = [
  ...['', 'null', '[]', '[[], {}]', '[[], {}, {}, {}]', '{"task": "t.add"}', '"x"', '[[1, 2], {}', '[[1,2],{},null]x'],
  ...[
    '[[NaN, Infinity], {}, {}]',
    '[{}, [], {}]',
    '[null, null, null]',
    `[${'['.repeat(3_000)}${']'.repeat(3_000)}, {}, {}]`,
  ],
  ...['[[], {"__proto__": 1, "constructor": 2}, {}]', '[[], {}, {"__proto__": {"chain": []}}]'],
  ...['a: &a [x, x]\nb: &b [*a, *a]\n', '!!python/object/apply:os.system ["true"]', '- [1, 2]\n- {}\n- {}\n', '{'],
  ...[Buffer.from([0x93, 0x90, 0x80, 0x80]), Buffer.from([0xc1]), Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
  ...[
    Buffer.from('gASVCQAAAAAAAAB9lIwBYZRLAXMu', 'base64'),
    Buffer.from([0xff, 0xfe, 0x00]),
    Buffer.alloc(300_000, 0x20),
  ],
];

/** One damaged message. Its task id and its delivery tag are its own, unless the damage is there. */
export function mutate(recordings: readonly Recording[], random: Random): Buffer {
  const { envelope: recorded, body: recordedBody, encoded } = random.pick(recordings);
  const envelope = copy(recorded) as Dict;
  identify(envelope);
  const asRecorded = encoded !== undefined && random.next() < 0.3;
  if (asRecorded) envelope['body'] = encoded;
  const body = asRecorded ? null : copy(recordedBody);
  if (random.next() < 0.35) return mildlyDamaged(envelope, body, random);
  const damages = random.pick([0, 1, 1, 1, 2, 3]);
  const bytes = damageValue(envelope, body, damages, random);
  return damages === 0 || random.next() < 0.1 ? damageBytes(bytes, recordings, random) : bytes;
}

/** Odd where a member that is careful enough carries it along, so that oddities get as far as into results. */
function mildlyDamaged(envelope: Dict, body: Json, random: Random): Buffer {
  const { headers, properties } = envelope;
  const odd = oddity(random);
  const what = random.below(3);
  if (what === 0 && isDict(headers))
    setOwn(headers, random.pick(['x-custom', '__proto__', 'constructor', 'then']), odd);
  else if (what === 1 && isDict(properties)) setOwn(properties, random.pick(['reply_to', 'app_id', '__proto__']), odd);
  else if (Array.isArray(body) && Array.isArray(body[0])) body[0].push(odd, oddity(random));
  else if (isDict(headers)) headers['origin'] = 'x';
  if (Array.isArray(body) && isDict(body[1]) && random.next() < 0.3) setOwn(body[1], random.pick(KEYS), oddity(random));
  if (body !== null) envelope['body'] = Buffer.from(write(body)).toString('base64');
  return Buffer.from(write(envelope));
}

/** Damages the message as a value so many times, and writes it. A body that is null is in the envelope already. */
function damageValue(envelope: Dict, body: Json, damages: number, random: Random): Buffer {
  let written: string | Buffer | null = null;
  for (let time = 0; time < damages; time += 1) {
    const what = random.below(12);
    if (what < 4) replaceSomewhere(envelope, random, oddity(random));
    else if (what === 4) addKey(envelope, random);
    else if (what === 5) removeKey(envelope, random);
    else if (what === 6) damageHeader(envelope, random);
    else if (what === 7) damageProperty(envelope, random);
    else if (what === 8 && body !== null) replaceSomewhere(body, random, oddity(random));
    else if (what === 9 && body !== null) addKey(body, random);
    else if (what === 10) written = random.pick(BODIES);
    else if (random.next() < 0.5) envelope['content-type'] = random.pick(CONTENT_TYPES);
    else envelope['content-encoding'] = random.pick(ENCODINGS);
  }
  if (written !== null || body !== null) writeBody(envelope, written ?? write(body), random);
  return Buffer.from(write(envelope));
}

function writeBody(envelope: Dict, text: string | Buffer, random: Random): void {
  let bytes: Buffer = Buffer.from(text as string);
  const chance = random.next();
  if (chance < 0.1) {
    bytes = random.pick(PACKERS)(bytes);
    const headers = envelope['headers'];
    if (isDict(headers)) headers['compression'] = random.pick(COMPRESSIONS);
  }
  envelope['body'] = chance > 0.9 ? bytes.toString('latin1') : bytes.toString('base64');
  if (chance > 0.95 && isDict(envelope['properties'])) envelope['properties']['body_encoding'] = random.pick(ENCODINGS);
}

function damageHeader(envelope: Dict, random: Random): void {
  const { headers } = envelope;
  if (!isDict(headers)) return;
  const name = random.pick(['eta', 'expires', 'timelimit', 'retries', 'id', 'task', 'compression', 'group', 'stamps']);
  headers[name] = name === 'compression' ? copy(random.pick(COMPRESSIONS)) : oddity(random);
}

function damageProperty(envelope: Dict, random: Random): void {
  const { properties } = envelope;
  if (!isDict(properties)) return;
  const name = random.pick([
    'delivery_tag',
    'delivery_info',
    'priority',
    'body_encoding',
    'correlation_id',
    'reply_to',
  ]);
  properties[name] = name === 'body_encoding' ? random.pick(ENCODINGS) : oddity(random);
}

function damageBytes(bytes: Buffer, recordings: readonly Recording[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(64));
  switch (random.below(9)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      for (let flips = random.below(4) + 1; flips > 0; flips -= 1)
        flipped[random.below(bytes.length)] = random.below(256);
      return flipped;
    }
    case 1: {
      const flipped = Buffer.from(bytes);
      const place = random.below(bytes.length);
      flipped[place] = (flipped[place] as number) ^ (1 << random.below(8));
      return flipped;
    }
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return bytes.subarray(at);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 5: {
      const other = Buffer.from(write(random.pick(recordings).envelope));
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))]);
    }
    case 6:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 7: {
      const pieces = ['"', '{', '}', '[', ']', ',', ':', '\\', '\\u00', '\u0000', '\n', ' ', '\ufeff', 'e9', '//', "'"];
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(pieces)), bytes.subarray(at)]);
    }
    default: {
      const junk = random.pick([
        [0xff],
        [0xc0, 0x80],
        [0xed, 0xa0, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
        [0xe2, 0x82],
        [0x80],
      ]);
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(junk), bytes.subarray(at)]);
    }
  }
}

/** A copy, so that later damage stays with this message. */
function oddity(random: Random): Json {
  return copy(random.pick(ODD));
}

function identify(envelope: Dict): void {
  const { headers, properties } = envelope;
  if (isDict(headers) && 'id' in headers) headers['id'] = randomUUID();
  if (isDict(properties)) properties['delivery_tag'] = randomUUID();
}

/** All places in a value: the container and the key. */
function places(value: Json, found: { holder: Dict; key: string }[] = []): { holder: Dict; key: string }[] {
  if (typeof value !== 'object' || value === null || value instanceof Raw) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value as Dict, key });
    places((value as Dict)[key] as Json, found);
  }
  return found;
}

function replaceSomewhere(value: Json, random: Random, replacement: Json): void {
  const all = places(value);
  if (all.length === 0) return;
  const { holder, key } = random.pick(all);
  holder[key] = replacement;
}

function addKey(value: Json, random: Random): void {
  const dicts = places(value).flatMap(({ holder, key }) => (isDict(holder[key]) ? [holder[key]] : []));
  if (isDict(value)) dicts.push(value);
  if (dicts.length > 0) setOwn(random.pick(dicts), random.pick(KEYS), oddity(random));
}

function removeKey(value: Json, random: Random): void {
  const { holder, key } = random.pick(places(value));
  if (!Array.isArray(holder)) Reflect.deleteProperty(holder, key);
}

function isDict(value: Json | undefined): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Raw);
}

function setOwn(dict: Dict, key: string, value: Json): void {
  Object.defineProperty(dict, key, { value, writable: true, enumerable: true, configurable: true });
}

function copy(value: Json): Json {
  if (typeof value !== 'object' || value === null || value instanceof Raw) return value;
  if (Array.isArray(value)) return value.map(copy);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
}

function write(value: Json): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${write(item)}`);
  return `{${members.join(', ')}}`;
}
