/**
 * What a TypeScript client writes for a message's way, beside what Python writes with the same settings: bindings, lists,
 * channels, delivery_info. Each case is one Python process, since kombu shares what it declared between all apps of one.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../../src/config/config.ts';
import { Celeriac, type SendOptions } from '../../src/index.ts';
import type { RedisPort, SubscriberPort } from '../../src/redis/port.ts';
import { openSubscriber } from '../../src/redis/subscriber.ts';
import { parseRedisTarget } from '../../src/redis/url.ts';
import { testPort } from '../support/channel.ts';
import { python } from '../support/processes.ts';
import { keepingLogger } from '../support/quiet-logger.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let url: string;
let redis: RedisPort;
let subscriber: SubscriberPort;
const published: { channel: string; text: string }[] = [];

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  subscriber = openSubscriber(parseRedisTarget(url));
  subscriber.onMessage((channel, payload) => published.push({ channel, text: payload.toString() }));
  await subscriber.psubscribe('*');
});
afterAll(async () => {
  await subscriber.close();
  await redis.close();
  await server.stop();
});

interface Written {
  /** Members of each set of bindings. */
  readonly bindings: Readonly<Record<string, readonly string[]>>;
  /** By task id: where it was written, and its properties as JSON text, so that their order counts too. */
  readonly messages: Readonly<Record<string, readonly string[]>>;
}

/** What lies in Redis, and was published, after `write`. */
async function written(write: () => Promise<unknown>): Promise<Written> {
  await redis.command('FLUSHDB');
  published.length = 0;
  await write();
  // Pub/sub is another connection: what was published before is seen once an echo came back.
  await redis.command('PUBLISH', 'end of case', '');
  while (!published.some(({ channel }) => channel === 'end of case')) await sleep(5);
  const bindings: Record<string, string[]> = {};
  const messages: Record<string, string[]> = {};
  const note = (place: string, text: string): void => {
    const { headers, properties } = JSON.parse(text) as Record<'headers' | 'properties', Record<string, unknown>>;
    const { delivery_tag: _tag, reply_to: _replyTo, ...rest } = properties;
    (messages[String(headers['id'])] ??= []).push(`${place} ${JSON.stringify(rest)}`);
  };
  for (const key of ((await redis.command('KEYS', '*')) as string[]).sort()) {
    const type = await redis.command('TYPE', key);
    if (type === 'set') bindings[key] = ((await redis.command('SMEMBERS', key)) as string[]).sort();
    if (type === 'list') for (const text of (await redis.command('LRANGE', key, 0, -1)) as string[]) note(key, text);
  }
  for (const { channel, text } of published) if (channel !== 'end of case') note(channel, text);
  return { bindings, messages };
}

interface Send {
  queue?: string;
  exchange?: string;
  routing_key?: string;
  priority?: number;
  delivery_mode?: string | number;
}

function toOptions({ routing_key, delivery_mode, ...rest }: Send): SendOptions {
  return {
    ...rest,
    ...(routing_key === undefined ? {} : { routingKey: routing_key }),
    ...(delivery_mode === undefined ? {} : { deliveryMode: delivery_mode as 1 }),
  };
}

async function fromTypeScript(settings: Settings, sends: readonly Send[]): Promise<void> {
  const app = new Celeriac('client', { broker_url: url, result_backend: null, ...settings });
  app.configure({ logger: keepingLogger() });
  try {
    for (const [i, send] of sends.entries()) await app.sendTask('tasks.add', { ...toOptions(send), taskId: `s${i}` });
  } finally {
    await app.close();
  }
}

function fromPython(settings: Record<string, unknown>, queues: string | undefined, sends: readonly Send[]) {
  const program = `
from kombu import Queue, Exchange, binding
${queues === undefined ? '' : `app.conf.task_queues = ${queues}`}
for i, send in enumerate(json.loads(r'''${JSON.stringify(sends)}''')):
    app.send_task('tasks.add', task_id=f's{i}', **send)
`;
  return python({ broker: url }, program, settings);
}

interface Case {
  readonly name: string;
  readonly settings?: Record<string, unknown>;
  /** task_queues as Python code and ours, where JSON can't say it. */
  readonly queues?: readonly [python: string, typescript: unknown];
  readonly sends: readonly Send[];
}

const MEDIA = {
  a: {},
  b: { exchange: 'bx', binding_key: 'bk' },
  m: { exchange: 'media', exchange_type: 'topic', routing_key: 'video.#' },
  n: { exchange: 'media', exchange_type: 'topic', routing_key: '*.mp4' },
  f: { exchange: 'fx', exchange_type: 'fanout' },
};

const CASES: readonly Case[] = [
  {
    name: 'no settings',
    sends: [
      {},
      { queue: 'q2' },
      { queue: 'q2', routing_key: 'rk' },
      { exchange: 'x' },
      { routing_key: 'rr' },
      { exchange: 'x', routing_key: 'unbound' },
      { queue: 'q2', exchange: 'q2', routing_key: 'q2' },
      { exchange: 'celery', routing_key: 'celery' },
      { priority: 7 },
      { queue: 'q2', delivery_mode: 'transient' },
      { delivery_mode: 1 },
    ],
  },
  {
    name: 'task_queues as a dict',
    settings: { task_queues: MEDIA },
    sends: [
      {},
      { queue: 'a' },
      { queue: 'b' },
      { queue: 'm' },
      { queue: 'n', routing_key: 'video.mp4', priority: 4 },
      { queue: 'm', routing_key: 'audio' },
      { exchange: 'media', routing_key: 'video.mp4' },
      { exchange: 'media', routing_key: 'a.b.mp4' },
      { queue: 'm', exchange: 'bx', routing_key: 'bk' },
      { queue: 'f' },
      { queue: 'f', routing_key: 'other' },
    ],
  },
  {
    name: 'task_queues as a list',
    queues: [
      `[Queue('a'), Queue('b', Exchange('bx', delivery_mode='transient'), routing_key='bk'),
        Queue('m', Exchange('media', type='topic'), routing_key='video.*'), Queue('f', Exchange('fx', type='fanout')),
        Queue('multi', [binding(Exchange('media', type='topic'), routing_key='audio.#'), binding(Exchange('o'), routing_key='z')])]`,
      [
        { name: 'a' },
        { name: 'b', exchange: { name: 'bx', deliveryMode: 'transient' }, routingKey: 'bk' },
        { name: 'm', exchange: 'media', exchangeType: 'topic', routingKey: 'video.*' },
        { name: 'f', exchange: { name: 'fx', type: 'fanout' } },
        {
          name: 'multi',
          bindings: [
            { exchange: 'media', exchangeType: 'topic', routingKey: 'audio.#' },
            { exchange: 'o', routingKey: 'z' },
          ],
        },
      ],
    ],
    sends: [
      {},
      { queue: 'a' },
      { queue: 'b' },
      { queue: 'm' },
      { queue: 'm', routing_key: 'video.x' },
      { queue: 'f' },
      { queue: 'multi' },
      { exchange: 'media', routing_key: 'audio.a.b' },
    ],
  },
  {
    name: 'another default exchange, with queues',
    settings: {
      task_default_queue: 'dq',
      task_default_exchange: 'dx',
      task_default_exchange_type: 'topic',
      task_default_routing_key: 'd.k',
    },
    queues: [`[Queue('a'), Queue('b', routing_key='b.#')]`, [{ name: 'a' }, { name: 'b', routingKey: 'b.#' }]],
    sends: [{}, { queue: 'a' }, { queue: 'b' }, { queue: 'b', routing_key: 'b.1' }, { queue: 'new' }],
  },
  {
    name: 'another default exchange, without queues',
    settings: {
      task_default_queue: 'dq',
      task_default_exchange: 'dx',
      task_default_exchange_type: 'topic',
      task_default_routing_key: 'd.k',
      task_default_delivery_mode: 'transient',
    },
    sends: [{}, { routing_key: 'd.k' }, { routing_key: 'x' }, { queue: 'new' }],
  },
  {
    name: 'a default fanout exchange',
    settings: { task_default_exchange: 'all', task_default_exchange_type: 'fanout' },
    sends: [{}, { routing_key: 'x.y' }],
  },
  {
    name: 'missing queues made as topics',
    settings: { task_create_missing_queue_exchange_type: 'topic' },
    sends: [{ queue: 'new.*' }, { queue: 'new.*', routing_key: 'new.1' }],
  },
  {
    name: 'missing queues made as fanouts',
    settings: { task_create_missing_queue_exchange_type: 'fanout' },
    sends: [{ queue: 'new' }, { queue: 'new', routing_key: 'zz' }],
  },
  {
    name: 'transport options: prefix, separator, steps, dead letters',
    settings: {
      task_queues: MEDIA,
      broker_transport_options: {
        global_keyprefix: 'pre:',
        sep: '|',
        priority_steps: [0, 5],
        deadletter_queue: 'dead',
      },
    },
    sends: [
      { queue: 'a', priority: 7 },
      { queue: 'm', routing_key: 'video.1', priority: 9 },
      { queue: 'f' },
      { exchange: 'nowhere', routing_key: 'k', priority: 5 },
    ],
  },
  {
    name: 'fanout channels without routing key, under another prefix',
    settings: { task_queues: MEDIA, broker_transport_options: { fanout_patterns: false, fanout_prefix: 'f{db}-' } },
    sends: [{ queue: 'f' }, { queue: 'f', routing_key: 'x' }],
  },
];

test.each(CASES)('$name: the same bindings, lists, channels and properties', async ({ settings, queues, sends }) => {
  const python = await written(() => fromPython(settings ?? {}, queues?.[0], sends));
  const ours = await written(() =>
    fromTypeScript({ ...settings, ...(queues === undefined ? {} : { task_queues: queues[1] }) }, sends),
  );
  // Something was written at all.
  expect(Object.keys(python.bindings).length).toBeGreaterThan(0);
  expect(ours).toEqual(python);
});
