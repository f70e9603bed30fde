import { describe, expect, test } from '@jest/globals';
import { InvalidTaskError } from '../../../src/errors.ts';
import type { Envelope } from '../../../src/protocol/envelope.ts';
import {
  isProtocol1Body,
  isTaskMessage,
  liftProtocol1,
  parseTaskTime,
  readHeaders,
  readTaskBody,
} from '../../../src/protocol/task-message.ts';
import { DateTime } from '../../../src/protocol/typed-values.ts';

function message(headers: Record<string, unknown>): Envelope {
  return { body: '', contentType: null, contentEncoding: null, headers, properties: {} };
}
const task = (headers: Record<string, unknown>): Envelope => message({ task: 't', id: 'i', ...headers });

describe('the headers of a task', () => {
  test('need no more than task and id', () => {
    expect(readHeaders(task({}))).toEqual({
      lang: null,
      task: 't',
      id: 'i',
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      groupIndex: null,
      retries: 0,
      timelimit: { hard: null, soft: null },
      rootId: null,
      parentId: null,
      argsrepr: '',
      kwargsrepr: '',
      origin: null,
      ignoreResult: undefined,
      replacedTaskNesting: 0,
      stampedHeaders: null,
      stamps: {},
      custom: {},
    });
  });

  test('are read with the hard time limit first', () => {
    expect(readHeaders(task({ timelimit: [10, 5] })).timelimit).toEqual({ hard: 10, soft: 5 });
    expect(readHeaders(task({ timelimit: [null, 0.5] })).timelimit).toEqual({ hard: null, soft: 0.5 });
  });

  test('keep what is not Celery’s for the task, even under the name __proto__', () => {
    const headers = JSON.parse('{"task": "t", "id": "i", "x-trace": 1, "__proto__": {"shadow": "s"}}') as Record<
      string,
      unknown
    >;
    const { custom, shadow } = readHeaders(message({ ...headers, compression: 'zlib', redelivered: true }));
    expect(Object.keys(custom)).toEqual(['x-trace', '__proto__']);
    expect(shadow).toBeNull();
  });

  test('take an eta that is a typed datetime, and none where it is empty', () => {
    expect(readHeaders(task({ eta: new DateTime('2026-01-02T03:04:05.5+05:30') })).eta).toBe(
      '2026-01-02T03:04:05.500000+05:30',
    );
    for (const eta of ['', 0, false, null]) expect(readHeaders(task({ eta })).eta).toBeNull();
    expect(readHeaders(task({ expires: 17.5 })).expires).toBe(17.5);
  });

  test.each([
    [{ task: 't' }, 'task message has no id header'],
    [{ id: 'i' }, 'task message has no task header'],
    [{ task: null, id: 'i' }, 'invalid task header null'],
    [{ task: 't', id: 5 }, 'invalid id header 5'],
    [{ task: 't', id: '' }, 'invalid id header ""'],
    [{ task: 't', id: 'i', shadow: 1 }, 'invalid shadow header 1'],
    [{ task: 't', id: 'i', eta: 5 }, 'invalid eta header 5'],
    [{ task: 't', id: 'i', eta: [] }, 'invalid eta header an array of 0'],
    [{ task: 't', id: 'i', expires: true }, 'invalid expires header true'],
    [{ task: 't', id: 'i', retries: '1' }, 'invalid retries header "1"'],
    [{ task: 't', id: 'i', retries: NaN }, 'invalid retries header NaN'],
    [{ task: 't', id: 'i', group_index: 2n ** 70n }, 'invalid group_index header 1180591620717411303424'],
    [{ task: 't', id: 'i', timelimit: [1] }, 'invalid timelimit header an array of 1'],
    [{ task: 't', id: 'i', timelimit: ['1', null] }, 'invalid timelimit header'],
    [{ task: 't', id: 'i', timelimit: [-1, null] }, 'invalid timelimit header'],
    [{ task: 't', id: 'i', timelimit: 5 }, 'invalid timelimit header 5'],
    [{ task: 't', id: 'i', ignore_result: 'no' }, 'invalid ignore_result header "no"'],
    [{ task: 't', id: 'i', stamped_headers: 'x' }, 'invalid stamped_headers header "x"'],
    [{ task: 't', id: 'i', stamped_headers: [1] }, 'invalid stamped_headers header'],
    [{ task: 't', id: 'i', stamps: [] }, 'invalid stamps header an array of 0'],
    [{ task: 't', id: 'i', origin: {} }, 'invalid origin header an object'],
    [{ task: 'x'.repeat(500), id: 1n }, 'invalid id header 1'],
  ])('%j are refused, naming header and value', (headers, reason) => {
    expect(() => readHeaders(message(headers))).toThrow(InvalidTaskError);
    expect(() => readHeaders(message(headers))).toThrow(reason);
  });
});

describe('the body of a task', () => {
  test.each([[{}], [null], [{ callbacks: null, errbacks: null, chain: null, chord: null }]])(
    'may have the embed %j',
    (embed) => {
      expect(readTaskBody([[1], { k: 2 }, embed])).toEqual({
        args: [1],
        kwargs: { k: 2 },
        embed: { callbacks: null, errbacks: null, chain: null, chord: null },
      });
    },
  );

  test('carries signatures as they are', () => {
    const signature = { task: 'x', anything: [1] };
    const body = readTaskBody([[], {}, { callbacks: [signature], errbacks: signature, chain: [], chord: signature }]);
    expect(body.embed).toEqual({ callbacks: [signature], errbacks: [signature], chain: [], chord: signature });
    expect(body.embed.chord).toBe(signature);
  });

  test.each([
    [null, 'found null'],
    ['text', 'found a string'],
    [{ args: [] }, 'found an object'],
    [[[], {}], 'found 2 elements'],
    [[[], {}, {}, {}], 'found 4 elements'],
    [[{}, {}, {}], 'task args must be an array'],
    [[[], [], {}], 'task kwargs must be an object'],
    [[[], null, {}], 'task kwargs must be an object'],
    [[[], new Date(), {}], 'task kwargs must be an object'],
    [[[], {}, []], 'task embed must be an object'],
    [[[], {}, { callbacks: 'x' }], 'wrong callbacks'],
    [[[], {}, { chain: { task: 'x' } }], 'wrong chain'],
    [[[], {}, { chain: ['x'] }], 'wrong chain'],
    [[[], {}, { chord: [] }], 'wrong chord'],
  ])('is refused when it is %j', (decoded, reason) => {
    expect(() => readTaskBody(decoded)).toThrow(InvalidTaskError);
    expect(() => readTaskBody(decoded)).toThrow(reason);
  });
});

describe('protocol 1', () => {
  const body = {
    task: 't',
    id: 'i',
    args: [1],
    kwargs: { a: 2 },
    group_index: 3,
    timelimit: [9, 8],
    chord: { task: 'c' },
  };

  test('is told by a body that names its task under headers that do not', () => {
    expect(isTaskMessage(message({}))).toBe(false);
    expect(isProtocol1Body(body, message({}))).toBe(true);
    expect(isProtocol1Body([[], {}, {}])).toBe(false);
    expect(isProtocol1Body({ args: [] }, message({}))).toBe(false);
    expect(isProtocol1Body({ args: [] }, task({}))).toBe(true);
    expect(isProtocol1Body(JSON.parse('{"__proto__": {"task": "t"}}'))).toBe(false);
  });

  test('is lifted with the group index that Celery loses, and old names of the group', () => {
    const lifted = liftProtocol1(message({ 'x-trace': 1 }), { ...body, taskset: 'g' });
    expect(lifted.headers).toMatchObject({
      ...{ task: 't', id: 'i', group: 'g', groupIndex: 3, argsrepr: null, rootId: null, custom: { 'x-trace': 1 } },
      timelimit: { hard: 9, soft: 8 },
    });
    expect(lifted.body).toEqual({
      args: [1],
      kwargs: { a: 2 },
      embed: { callbacks: null, errbacks: null, chain: null, chord: { task: 'c' } },
    });
    expect(lifted.utc).toBe(true);
    expect(liftProtocol1(message({}), { task: 't', id: 'i', utc: false })).toMatchObject({
      utc: false,
      body: { args: [], kwargs: {} },
    });
  });

  test('under headers of protocol 2 gives way to them', () => {
    const { headers } = liftProtocol1(task({ id: 'real', retries: 2 }), { ...body, retries: 1, group: 'g' });
    expect(headers).toMatchObject({ id: 'real', retries: 2, group: 'g' });
  });

  test.each([
    [{ task: 't' }, 'id'],
    [{ task: 't', id: 'i', args: 5 }, 'task args'],
    [{ task: 't', id: 'i', kwargs: [] }, 'task kwargs'],
    [{ task: 't', id: 'i', callbacks: [1] }, 'callbacks'],
    [[], 'task body must be an object'],
  ])('is refused when it is %j', (decoded, reason) => {
    expect(() => liftProtocol1(message({}), decoded)).toThrow(InvalidTaskError);
    expect(() => liftProtocol1(message({}), decoded)).toThrow(reason);
  });
});

test('parseTaskTime gives the instant, or says which header is no time', () => {
  expect(parseTaskTime('eta', null)).toBeNull();
  expect(parseTaskTime('eta', '')).toBeNull();
  expect(parseTaskTime('eta', '1970-01-01T00:00:01')).toEqual({ epochMs: 1000, hasOffset: false, offsetMinutes: null });
  expect(() => parseTaskTime('eta', 'soon')).toThrow('invalid eta header "soon"');
  expect(() => parseTaskTime('expires', 5)).toThrow(InvalidTaskError);
});
