import { describe, expect, test } from '@jest/globals';
import { bodyBytes, decodeEnvelope, encodeEnvelope, readBody, type Envelope } from '../../src/protocol/envelope.ts';
import { assertRestorable, entryText, markRedelivered, parseEntry } from '../../src/protocol/redelivery.ts';
import {
  isProtocol1Body,
  isTaskMessage,
  liftProtocol1,
  readHeaders,
  readTaskBody,
} from '../../src/protocol/task-message.ts';
import { buildTaskMessage, type TaskMessageInput } from '../../src/protocol/task-publish.ts';
import { pyRepr, Tuple } from '../../src/protocol/python-repr.ts';
import { dumps, loads } from '../../src/protocol/json.ts';
import { ContentDisallowedError } from '../../src/errors.ts';
import { readRecording, type EnvelopeCase, type Scenario } from './recordings.ts';

const entries = readRecording<EnvelopeCase>('envelopes').flatMap(({ case: name, keys }) =>
  keys.flatMap((key) => (key.entries ?? []).map((entry) => ({ name, raw: entry.raw, decoded: entry.body_decoded }))),
);
const scenarios = [...readRecording<Scenario>('scenarios'), ...readRecording<Scenario>('scenario-variants')];
const ACCEPT = new Set(['application/json', 'application/x-msgpack', 'application/x-yaml']);
const read = (envelope: Envelope): Promise<unknown> =>
  Promise.resolve(readBody(envelope, { accept: ACCEPT, maxBytes: 1 << 20 }));

test('there are as many recorded envelopes as the capture made', () => {
  expect(entries).toHaveLength(146);
  expect(scenarios).toHaveLength(174);
});

describe.each(entries)('the recorded envelope "$name"', ({ name, raw, decoded }) => {
  test('is written again byte for byte', () => {
    expect(encodeEnvelope(decodeEnvelope(raw))).toBe(raw);
  });

  test('has a body that is read, or refused where it is pickle', async () => {
    const envelope = decodeEnvelope(raw);
    if (name.includes('pickle')) {
      expect(() => readBody(envelope, { accept: ACCEPT, maxBytes: 1 << 20 })).toThrow(ContentDisallowedError);
    } else if (decoded !== null && typeof decoded === 'object' && '$repr' in decoded) {
      expect(pyRepr(await read(envelope))).toBe(decoded.$repr);
    } else if (decoded !== null && typeof decoded === 'object' && '$text' in decoded) {
      expect(bodyBytes(envelope).toString()).toBe(decoded.$text);
      expect(readTaskBody(await read(envelope)).embed.chord).toBeNull();
    } else {
      expect(await read(envelope)).toEqual(loads(JSON.stringify(decoded)));
    }
  });

  test('may stand in unacked and comes out of an entry unchanged', () => {
    expect(() => assertRestorable(raw)).not.toThrow();
    expect(() => assertRestorable(Buffer.from(raw))).not.toThrow();
    expect(parseEntry(entryText(raw, 'q"é'))).toEqual({ raw, exchange: '', routingKey: 'q"é' });
  });

  test('is a task of protocol 2, or is lifted to one', async () => {
    if (name.includes('pickle')) return;
    const envelope = decodeEnvelope(raw);
    const body = await read(envelope);
    if (isTaskMessage(envelope)) {
      expect(isProtocol1Body(body, envelope)).toBe(false);
      expect(readHeaders(envelope).id).toBe(envelope.properties['correlation_id']);
      expect(readTaskBody(body).args).toEqual((body as unknown[])[0]);
    } else {
      expect(name).toMatch(/^proto1/);
      expect(isProtocol1Body(body, envelope)).toBe(true);
      const lifted = liftProtocol1(envelope, body);
      expect(lifted.headers.id).toBe(envelope.properties['correlation_id']);
      expect(lifted.headers.group).toBe((body as { group: unknown }).group);
      expect(lifted.utc).toBe(true);
      expect(lifted.headers.custom).toEqual(name === 'proto1 headers' ? { x: 1 } : {});
    }
  });
});

describe('the producer', () => {
  const NOW = Date.UTC(2026, 10, 21, 23, 55);
  /** What a caller of ours would have said to get the recorded message. */
  const inputs: Record<string, Partial<TaskMessageInput>> = {
    'basic delay add(2,2)': { args: [2, 2] },
    'send_task list args vs tuple, nested values': {
      args: [1, [2, new Tuple([3])], { k: new Tuple([4]) }, null, true, 1.5, 100000000000000000000n],
    },
    'eta naive': { args: [1, 2], eta: '2030-01-02T03:04:05' },
    'expires datetime aware': { args: [1, 2], expires: new Date('2030-01-01T00:00:00Z') },
    'expires iso string': { args: [1, 2], expires: '2030-01-01T00:00:00Z' },
    'expires in the past': { args: [1, 2], expires: new Date('2020-01-01T00:00:00Z') },
    'time limits': { args: [1, 2], timeLimit: 10, softTimeLimit: 5 },
    'custom headers': { args: [1, 2], headers: { 'x-trace': 'abc', my: { nested: [1] } } },
    'custom properties (app_id, message_id, type, user_id)': {
      args: [1, 2],
      properties: { app_id: 'app', message_id: 'mid', type: 't', user_id: 'u' },
    },
    'stamp by kwargs': {
      args: [1, 2],
      stampedHeaders: ['customer', 'tier'],
      stamps: { customer: 'c1', tier: ['gold', 'vip'] },
    },
    'link single': {
      args: [1, 2],
      callbacks: [{ task: 't.mul', args: [3], kwargs: {}, options: {}, subtask_type: null, immutable: false }],
    },
    'delivery_mode transient': { args: [1, 2], deliveryMode: 1 },
    'shadow name': { args: [1, 2], shadow: 'pretty.name' },
    'ignore_result=True': { args: [1, 2], ignoreResult: true },
  };

  test.each(Object.entries(inputs))('builds "%s" with the recorded keys in the recorded order', async (name, input) => {
    const raw = entries.find((entry) => entry.name === name)?.raw ?? '';
    const recorded = decodeEnvelope(raw);
    const { headers, properties } = recorded;
    const message = buildTaskMessage({
      id: headers['id'] as string,
      task: headers['task'] as string,
      origin: headers['origin'] as string,
      replyTo: properties['reply_to'] as string,
      nowMs: NOW,
      ...input,
    });
    expect(dumps({ ...message.headers, lang: 'py' })).toBe(dumps(headers));
    expect(dumps(message.body)).toBe(dumps(await read(recorded)));

    const added = { delivery_info: 0, priority: 0, body_encoding: 0, delivery_tag: 0 };
    expect(Object.keys({ ...message.properties, ...added })).toEqual(Object.keys(properties));
    const { expiration, ...stable } = message.properties;
    expect(properties).toMatchObject(stable);
    // Recorded some seconds after our "now".
    const recordedExpiration = properties['expiration'];
    if (typeof recordedExpiration === 'string') expect(Number(expiration)).toBeCloseTo(Number(recordedExpiration), -6);
    else expect(expiration).toBeUndefined();
  });

  test('computes eta and expires from seconds as Celery does', () => {
    const message = buildTaskMessage({
      id: 'i',
      task: 't',
      origin: 'o',
      countdown: 30,
      expires: 1.5,
      nowMs: NOW + 0.25,
    });
    expect(message.headers['eta']).toBe('2026-11-21T23:55:30.000250+00:00');
    expect(message.headers['expires']).toBe('2026-11-21T23:55:01.500250+00:00');
    expect(message.properties['expiration']).toBe('1500');
  });
});

describe('the messages of the recorded scenarios', () => {
  const steps = scenarios.flatMap(({ scenario, variant = '', steps }) =>
    steps
      .filter((step) => step.envelope_without_body !== undefined)
      .map((step) => ({ name: `${variant} ${scenario}`, step })),
  );

  test('are envelopes, restorable and, as far as Celery sent them, tasks', () => {
    let tasks = 0;
    for (const { name, step } of steps) {
      const body = Buffer.from(JSON.stringify(step.body_decoded ?? null)).toString('base64');
      const raw = dumps({ body, ...(loads(JSON.stringify(step.envelope_without_body)) as object) });
      const envelope = decodeEnvelope(raw);
      expect([name, encodeEnvelope(envelope)]).toEqual([name, raw]);
      expect(() => assertRestorable(raw)).not.toThrow();
      if (isTaskMessage(envelope) && typeof envelope.headers['id'] === 'string' && name.trim() !== 'bad_eta') {
        tasks++;
        expect(readHeaders(envelope).task).toBe(envelope.headers['task']);
      }
    }
    expect(tasks).toBeGreaterThan(250);
  });

  test('come back with the flags that Python sets on a restore', () => {
    const restored = steps.filter(({ step }) => step.cmd === 'RPUSH' && step.key === 'celery');
    expect(restored.length).toBeGreaterThan(0);
    for (const { step } of restored) {
      const after = dumps({ body: 'x', ...(step.envelope_without_body as object) });
      const before = after.replaceAll(', "redelivered": true', '').replaceAll('"redelivered": true', '');
      expect(markRedelivered(before)).toBe(after);
    }
  });
});
