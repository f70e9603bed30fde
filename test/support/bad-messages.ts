/** Messages that are wrong in one way each, and what a worker is to make of them. */
import { deflateSync } from 'node:zlib';

export interface BadMessage {
  readonly what: string;
  readonly raw: string | Buffer;
  /** What the log says about it, in one line. */
  readonly reason: RegExp;
  /** The task id that Celery answers under; absent: nobody is answered. */
  readonly answered?: string;
}

interface Parts {
  readonly body?: unknown;
  readonly bodyText?: string;
  readonly bodyBytes?: Buffer;
  readonly headers?: Record<string, unknown>;
  readonly properties?: Record<string, unknown>;
  readonly envelope?: Record<string, unknown>;
}

let count = 0;

/** A sound message of tasks.add(2, 2), with what is wrong laid over it. undefined takes a key away. */
export function message(id: string, parts: Parts = {}): string {
  const body = parts.body ?? [[2, 2], {}, { callbacks: null, errbacks: null, chain: null, chord: null }];
  const bytes = parts.bodyBytes ?? Buffer.from(parts.bodyText ?? JSON.stringify(body));
  count += 1;
  return JSON.stringify({
    body: bytes.toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {
      lang: 'py',
      task: 'tasks.add',
      id,
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: id,
      parent_id: null,
      argsrepr: '(2, 2)',
      kwargsrepr: '{}',
      origin: 'gen1@test',
      ignore_result: false,
      ...parts.headers,
    },
    properties: {
      correlation_id: id,
      reply_to: '',
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: 'celery' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: `tag-${count}-${id}`,
      ...parts.properties,
    },
    ...parts.envelope,
  });
}

/** Larger than BAD_MESSAGES_MAX_BYTES when it is decompressed, 200 kB before. */
const bomb = (): Buffer => deflateSync(Buffer.alloc(200_000_000, 0x20));
export const BAD_MESSAGES_MAX_BYTES = 100_000_000;

export function badMessages(): BadMessage[] {
  return [...badEnvelopes(), ...badHeaders(), ...badBodies(), ...badCalls()];
}

function badEnvelopes(): BadMessage[] {
  return [
    { what: 'no JSON', raw: '{"body": ', reason: /JSON ends too early/ },
    { what: 'nothing at all', raw: '', reason: /JSON ends too early/ },
    { what: 'bytes that are no text', raw: Buffer.from([0xff, 0xfe, 0x00, 0x80]), reason: /./ },
    { what: 'a list', raw: '[1, 2, 3]', reason: /object/ },
    { what: 'a number', raw: '7', reason: /object/ },
    {
      what: 'no properties',
      raw: message('e1', { envelope: { properties: undefined } }),
      reason: /no properties/,
    },
    {
      what: 'properties that are a list',
      raw: message('e2', { envelope: { properties: [] } }),
      reason: /properties that is no object/,
    },
    {
      what: 'no delivery tag',
      raw: message('e3', { properties: { delivery_tag: undefined } }),
      reason: /delivery_tag/,
    },
    {
      what: 'a body that is a number',
      raw: message('e4', { envelope: { body: 7 } }),
      reason: /body that is a number/,
    },
    {
      what: 'no body',
      raw: message('e5', { envelope: { body: undefined } }),
      reason: /body that is missing/,
    },
    {
      what: 'a content type that is a number',
      raw: message('e6', { envelope: { 'content-type': 7 } }),
      reason: /content-type that is a number/,
    },
    {
      what: 'headers that are a list',
      raw: message('e7', { envelope: { headers: [['task', 'tasks.add']] } }),
      reason: /headers that is no object/,
    },
    {
      what: 'headers nested 5,000 deep',
      raw: message('e9').replace('"(2, 2)"', '['.repeat(5_000) + ']'.repeat(5_000)),
      reason: /nested/,
    },
    {
      what: 'an integer of 5,000 digits',
      raw: message('e10').replace('"(2, 2)"', '9'.repeat(5_000)),
      reason: /digits/,
    },
    {
      what: 'a typed value of no known type',
      raw: message('e11', { headers: { x: { __type__: 'pickle', __value__: 'x' } } }),
      reason: /unknown __type__/,
    },
    {
      what: 'a body encoding of no known name',
      raw: message('e12', { properties: { body_encoding: 'rot13' } }),
      reason: /unknown body encoding/,
    },
  ];
}

function badHeaders(): BadMessage[] {
  const invalid = (what: string, headers: Record<string, unknown>, reason: RegExp, more = {}): BadMessage => ({
    what,
    raw: message(`h-${what.replaceAll(' ', '-')}`, { headers }),
    reason,
    ...more,
  });
  return [
    invalid('a task name that is an object', { task: { a: 1 } }, /invalid task header/),
    invalid('no id', { id: undefined }, /no id header/),
    invalid('an id that is a number', { id: 7 }, /invalid id header 7/),
    invalid('an id that is an object', { id: { $gt: '' } }, /invalid id header/),
    invalid('an eta that is no time', { eta: 'yesterday' }, /invalid eta value "yesterday"/),
    invalid('an eta that is a list', { eta: [2026] }, /invalid eta header/),
    invalid('an expiry that is no time', { expires: 'never' }, /invalid expires value "never"/),
    invalid('an expiry that is an object', { expires: {} }, /invalid expires header/),
    invalid('a time limit that is a text', { timelimit: 'long' }, /invalid timelimit header/),
    invalid('a time limit of one', { timelimit: [1] }, /invalid timelimit header/),
    invalid('a time limit of texts', { timelimit: ['1', '2'] }, /invalid timelimit header/),
    invalid('retries that are a text', { retries: 'many' }, /invalid retries header/),
    invalid('stamps that are a list', { stamps: [1] }, /invalid stamps header/),
  ];
}

function badBodies(): BadMessage[] {
  const pickle = Buffer.from('gASVCQAAAAAAAAB9lIwBYZRLAXMu', 'base64');
  const body = (what: string, parts: Parts, reason: RegExp, more = {}): BadMessage => ({
    what,
    raw: message(`b-${what.replaceAll(/\W+/g, '-')}`, parts),
    reason,
    ...more,
  });
  const shape = (text: string, more = {}): BadMessage =>
    body(`the body ${text}`, { bodyText: text }, /task (body|args|kwargs|embed) must be/, more);
  return [
    body(
      'a content type nobody knows',
      { envelope: { 'content-type': 'application/xml' } },
      /"application\/xml" is not in accept_content/,
    ),
    body(
      'pickle',
      {
        bodyBytes: pickle,
        envelope: { 'content-type': 'application/x-python-serialize', 'content-encoding': 'binary' },
      },
      /"application\/x-python-serialize" is not in accept_content/,
    ),
    body('yaml that is not accepted', { envelope: { 'content-type': 'application/x-yaml' } }, /not in accept_content/),
    body('what is no base64', { envelope: { body: 'W1syL' } }, /base64/),
    body('what is no JSON', { bodyText: '[[2, 2], {' }, /JSON/),
    body('bytes that are not UTF-8', { bodyBytes: Buffer.from([0x5b, 0xff, 0x5d]) }, /UTF-8/),
    body('a compression nobody knows', { headers: { compression: 'lz4' } }, /unknown compression "lz4"/),
    body('a compression it does not have', { headers: { compression: 'application/x-gzip' } }, /cannot decompress/),
    body(
      'a compressed body that is cut',
      { headers: { compression: 'application/x-gzip' }, bodyBytes: deflateSync(Buffer.alloc(10_000)).subarray(0, -4) },
      /cannot decompress/,
    ),
    body(
      'a compression bomb',
      { headers: { compression: 'application/x-gzip' }, bodyBytes: bomb() },
      /more than 100000000 bytes|over .*100000000/,
    ),
    body('JSON nested 100,000 deep', { bodyText: '['.repeat(100_000) + ']'.repeat(100_000) }, /nested/),
    shape('null'),
    shape('"x"'),
    shape('[]'),
    shape('[[2, 2], {}]'),
    shape('[[2, 2], {}, {}, {}]'),
    shape('[null, {}, {}]'),
    shape('["ab", {}, {}]'),
    shape('[[2, 2], [], {}]'),
    shape('[[2, 2], {}, 7]'),
    shape('[[2, 2], {}, []]'),
    body('a callback that is no signature', { body: [[2, 2], {}, { callbacks: [7] }] }, /wrong callbacks/),
  ];
}

/** Tasks that nobody registered, under names that must mean nothing special. */
function badCalls(): BadMessage[] {
  const unknown = (what: string, id: string, task: unknown, shown: string, parts: Parts = {}): BadMessage => ({
    what,
    raw: message(id, { ...parts, headers: { task } }),
    reason: new RegExp(`unregistered task of type '${shown}'`),
    answered: id,
  });
  return [
    unknown('a task nobody registered', 'u1', 'tasks.nobody_knows', 'tasks\\.nobody_knows'),
    unknown('a task named constructor', 'u2', 'constructor', 'constructor'),
    unknown('a task named __proto__', 'u3', '__proto__', '__proto__'),
    unknown('a task with an empty name', 'u4', '', ''),
    unknown(
      'a task whose name is a line of the log',
      'u5',
      'x\n\u001b[31m[2026: INFO] y',
      'x\\\\x0a\\\\x1b\\[31m\\[2026: INFO\\] y',
    ),
    unknown(
      'a task nobody registered, in a content type that is not accepted',
      'u6',
      'tasks.nobody_knows',
      'tasks\\.nobody_knows',
      {
        envelope: { 'content-type': 'application/xml' },
      },
    ),
    unknown('a task nobody registered, with a body that is none', 'u7', 'tasks.nobody_knows', 'tasks\\.nobody_knows', {
      bodyText: '7',
    }),
    {
      what: 'a body of protocol 1 for a task nobody registered',
      raw: message('u8', { body: { task: 'tasks.old', id: 'u8', args: [], kwargs: {} }, envelope: { headers: {} } }),
      reason: /unregistered task of type 'tasks\.old'/,
      answered: 'u8',
    },
  ];
}

/** Messages that look wrong and run: both workers give the same answer. */
export function oddMessages(): { what: string; id: string; raw: string }[] {
  const odd = (
    what: string,
    id: string,
    parts: Parts,
    dress = (raw: string) => raw,
  ): ReturnType<typeof oddMessages>[0] => ({
    what,
    id,
    raw: dress(message(id, parts)),
  });
  const proto = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "then": 1}';
  const echo = { task: 'tasks.echo' };
  return [
    odd('a keyword named __proto__', 'o1', { bodyText: '[[2], {"__proto__": 2}, {}]' }),
    odd('a keyword named constructor', 'o2', { bodyText: '[[2], {"constructor": 2}, {}]' }),
    odd('special names in an argument', 'o3', { headers: echo, bodyText: `[[${proto}], {}, {}]` }),
    odd('special names in the embed', 'o4', { bodyText: `[[2, 2], {}, ${proto}]` }),
    odd('a header named __proto__', 'o5', {}, (raw) => raw.replace('"lang":', `"__proto__": ${proto}, "lang":`)),
    odd('a property named __proto__', 'o6', {}, (raw) =>
      raw.replace('"reply_to":', `"__proto__": ${proto}, "reply_to":`),
    ),
    odd('special names beside the headers', 'o7', {}, (raw) =>
      raw.replace('{"body"', `{"__proto__": ${proto}, "body"`),
    ),
    odd('an argument nested 500 deep', 'o8', {
      headers: echo,
      bodyText: `[[${'['.repeat(500)}${']'.repeat(500)}], {}, {}]`,
    }),
    odd('an integer of 400 digits', 'o9', { headers: echo, bodyText: `[[${'9'.repeat(400)}], {}, {}]` }),
    odd('NaN and Infinity', 'o10', { headers: echo, bodyText: '[[[NaN, Infinity, -Infinity]], {}, {}]' }),
    odd('a lone surrogate', 'o11', { headers: echo, bodyText: '[["\\ud83d"], {}, {}]' }),
    odd('a key that is there twice', 'o12', { headers: echo, bodyText: '[[{"a": 1, "a": 2}], {}, {}]' }),
    odd('too many arguments', 'o13', { body: [[1, 2, 3], {}, {}] }),
    odd('a body of protocol 1 under headers of protocol 2', 'o14', { body: { args: [2, 2], kwargs: {} } }),
    odd('a text encoding nobody knows, which JSON has no use for', 'o15', {
      envelope: { 'content-encoding': 'klingon' },
    }),
    odd('a compression that is null', 'o16', { headers: { compression: null } }),
    odd('a priority that is no number', 'o18', { properties: { priority: 'high' } }),
    odd('a priority beyond all steps', 'o19', { properties: { priority: 1e300 } }),
    odd('an id that is a path', '../../o21', {}),
    odd('an empty delivery tag', 'o22', { properties: { delivery_tag: '' } }),
    odd('white space between tokens', 'o23', {}, (raw) => JSON.stringify(JSON.parse(raw), null, 2)),
  ];
}
