/** The signals of publishing, on a real Redis: what receivers change is what is in the queue. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Celeriac } from '../../../src/client/app.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { signals } from '../../../src/signals/signals.ts';
import { testPort } from '../../support/channel.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';

let server: TestRedis;
let redis: RedisPort;
let app: Celeriac;
let log: string[];
let off: (() => boolean)[];

beforeAll(async () => {
  server = await testRedis();
  const url = server.freshDb();
  redis = testPort(url);
  log = [];
  app = new Celeriac('publisher', { brokerUrl: url });
  app.configure({ logger: keepingLogger(log) });
});
afterAll(async () => {
  await app.close();
  await redis.close();
  await server.stop();
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
  log.length = 0;
  off = [];
});
afterEach(() => {
  for (const disconnect of off) disconnect();
});

interface Queued {
  readonly headers: Record<string, unknown>;
  readonly properties: Record<string, unknown>;
  readonly body: unknown;
}

async function only(key: string): Promise<Queued> {
  const raws = (await redis.command('LRANGE', key, 0, -1)) as string[];
  expect(raws).toHaveLength(1);
  const message = JSON.parse(raws[0] as string) as Queued;
  return { ...message, body: JSON.parse(Buffer.from(message.body as string, 'base64').toString()) };
}

test('beforeTaskPublish sees the message as it will be, and may change headers, body, properties and priority', async () => {
  const seen: unknown[] = [];
  off.push(
    signals.beforeTaskPublish.connect(async ({ sender, exchange, routingKey, headers, body, properties }) => {
      seen.push([sender, exchange, routingKey, headers['id'], structuredClone(body[0]), properties['priority']]);
      await Promise.resolve();
      headers['trace'] = 'abc';
      (body[1] as Record<string, unknown>)['added'] = true;
      properties['app_id'] = 'shop';
      properties['priority'] = 6;
    }),
  );
  await app.sendTask('tasks.add', { args: [1, 2], taskId: 'id-1', queue: 'q', priority: 3 });
  expect(seen).toEqual([['tasks.add', '', 'q', 'id-1', [1, 2], 3]]);
  expect(await only('q\x06\x166')).toMatchObject({
    headers: { task: 'tasks.add', trace: 'abc' },
    properties: { app_id: 'shop', priority: 6, correlation_id: 'id-1' },
    body: [[1, 2], { added: true }, {}],
  });
});

test('afterTaskPublish is sent when the message is in Redis', async () => {
  const lengths: unknown[] = [];
  off.push(
    signals.afterTaskPublish.connect(async ({ sender, routingKey, headers }) => {
      lengths.push([sender, headers['id'], await redis.command('LLEN', routingKey)]);
    }),
  );
  await app.sendTask('tasks.add', { taskId: 'id-1' });
  expect(lengths).toEqual([['tasks.add', 'id-1', 1]]);
});

test('what a receiver makes unsendable is refused, and nothing is sent', async () => {
  off.push(
    signals.beforeTaskPublish.connect(({ body }) => {
      body[0] = [() => undefined];
    }),
  );
  await expect(app.sendTask('tasks.add')).rejects.toMatchObject({ code: 'CELERIAC_ENCODE' });
  expect(await redis.command('EXISTS', 'celery')).toBe(0);
});

test('a receiver that throws is logged, and the message goes out', async () => {
  off.push(
    signals.beforeTaskPublish.connect(function tracer() {
      throw new RangeError('bad');
    }),
  );
  await app.sendTask('tasks.add', { taskId: 'id-1' });
  await only('celery');
  expect(log).toEqual(['ERROR The receiver tracer of the signal beforeTaskPublish failed: RangeError: bad']);
});
