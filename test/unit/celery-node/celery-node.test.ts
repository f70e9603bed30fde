import { afterEach, describe, expect, test } from '@jest/globals';
import celery, { createClient, createWorker } from '../../../src/celery-node/celery-node.ts';
import { settingsOf } from '../../../src/celery-node/conf.ts';

const URL = 'redis://localhost:1/0';
const conf = (fields: object = {}) => ({
  CELERY_BROKER: URL,
  CELERY_BROKER_OPTIONS: {},
  CELERY_BACKEND: 'redis://localhost:1/1',
  CELERY_BACKEND_OPTIONS: {},
  CELERY_QUEUE: 'q',
  TASK_PROTOCOL: 2,
  ...fields,
});

describe('conf', () => {
  test('starts as createClient was called, and may be changed until first use', () => {
    const client = createClient(URL, 'redis://localhost:1/1', 'q');
    expect(client.conf).toEqual(conf());
    client.conf.CELERY_QUEUE = 'other';
    expect(client.app.config.taskDefaultQueue).toBe('other');
    expect(client.app.config.brokerUrl).toBe(URL);
  });

  test('what createClient was given holds against CELERY_BROKER_URL, further settings are taken', () => {
    process.env['CELERY_BROKER_URL'] = 'redis://elsewhere:1/0';
    const { app } = createClient(URL, URL, 'celery', { taskSerializer: 'msgpack' });
    expect(app.config.brokerUrl).toBe(URL);
    expect(app.config.taskSerializer).toBe('msgpack');
  });
  afterEach(() => {
    delete process.env['CELERY_BROKER_URL'];
  });

  test.each<[what: string, fields: object, settings: object]>([
    [
      'password and db where the URL has none',
      { CELERY_BROKER: 'redis://localhost:1', CELERY_BROKER_OPTIONS: { password: 'a/b', db: 3 } },
      { brokerUrl: 'redis://:a%2Fb@localhost:1/3' },
    ],
    [
      'but not over those of the URL',
      { CELERY_BROKER: 'redis://u:p@localhost:1/2', CELERY_BROKER_OPTIONS: { username: 'x', password: 'y', db: 3 } },
      { brokerUrl: 'redis://u:p@localhost:1/2' },
    ],
    [
      'tls',
      { CELERY_BACKEND_OPTIONS: { tls: { rejectUnauthorized: false, ca: Buffer.from('PEM') } } },
      {
        resultBackend: 'rediss://localhost:1/1',
        redisBackendUseSsl: { ssl_cert_reqs: 'none', ssl_ca_data: 'PEM' },
      },
    ],
    [
      'tls that checks certificates, unless told otherwise',
      { CELERY_BROKER_OPTIONS: { tls: {} } },
      { brokerUrl: 'rediss://localhost:1/0', brokerUseSsl: { ssl_cert_reqs: 'required' } },
    ],
    [
      'keyPrefix',
      { CELERY_BROKER_OPTIONS: { keyPrefix: 'a:' }, CELERY_BACKEND_OPTIONS: { keyPrefix: 'b:' } },
      {
        brokerTransportOptions: { global_keyprefix: 'a:' },
        resultBackendTransportOptions: { global_keyprefix: 'b:' },
      },
    ],
    ['how a connection is kept up: not looked at', { CELERY_BROKER_OPTIONS: { maxRetriesPerRequest: null } }, {}],
    ['protocol 1, sent as 2', { TASK_PROTOCOL: 1 }, {}],
  ])('options of ioredis: %s', (_, fields, settings) => {
    const common = { brokerUrl: URL, resultBackend: 'redis://localhost:1/1', taskDefaultQueue: 'q' };
    expect(settingsOf(conf(fields))).toEqual({ ...common, ...settings });
  });

  test.each<[fields: object, message: string]>([
    [{ TASK_PROTOCOL: 3 }, 'conf.TASK_PROTOCOL must be 1 or 2, not 3'],
    [{ CELERY_BROKER_OPTIONS: { sentinels: [] } }, 'conf.CELERY_BROKER_OPTIONS: celeriac has no "sentinels"'],
    [{ CELERY_BROKER_OPTIONS: { tls: true } }, 'conf.CELERY_BROKER_OPTIONS: tls must be an object'],
    [{ CELERY_BROKER_OPTIONS: { tls: { cert: 'x' } } }, 'conf.CELERY_BROKER_OPTIONS: tls.cert is not taken over'],
    [{ CELERY_BROKER_OPTIONS: { password: {} } }, 'conf.CELERY_BROKER_OPTIONS: password must be a text, not object'],
    [{ CELERY_BROKER: 'nonsense', CELERY_BROKER_OPTIONS: { db: 1 } }, 'conf.CELERY_BROKER is no URL'],
  ])('%j is refused, by name', (fields, message) => {
    expect(() => settingsOf(conf(fields))).toThrow(message);
  });
});

describe("celery-node's default, amqp://", () => {
  const said = 'amqp:// is not supported, celeriac talks to Redis only';

  test('is refused where a client is used', () => {
    expect(() => createClient().createTask('tasks.add').delay(1)).toThrow(said);
  });

  test('is refused where a worker starts', async () => {
    await expect(createWorker().start()).rejects.toThrow(said);
  });
});

describe('a worker', () => {
  test('refuses no handler, and a second one, in the words of celery-node', () => {
    const worker = createWorker(URL, URL);
    expect(() => worker.register('tasks.add', undefined as never)).toThrow('Undefined handler');
    worker.register('tasks.add', () => 1);
    expect(() => worker.register('tasks.add', () => 1)).toThrow('Handler is already set');
  });

  test('has no jobs, and stops, before it was started', async () => {
    const worker = createWorker(URL, URL);
    await worker.whenCurrentJobsFinished();
    await worker.stop();
    await worker.disconnect();
  });
});

test('a client refuses arguments of the wrong kind in the words of celery-node, before anything is sent', () => {
  const task = celery.createClient(URL, URL).createTask('tasks.add');
  expect(() => task.applyAsync('x' as never)).toThrow('args is not array');
  expect(() => task.applyAsync([], 'x' as never)).toThrow('kwargs is not object');
});

test('a message that cannot be made rejects get, status and result with what is wrong', async () => {
  const client = createClient(URL, URL);
  const lines: unknown[] = [];
  client.app.logger.error = (message) => void lines.push(message);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const result = client.createTask('tasks.add').delay(cycle);
  await expect(result.get()).rejects.toMatchObject({ code: 'CELERIAC_ENCODE' });
  await expect(result.status()).rejects.toMatchObject({ code: 'CELERIAC_ENCODE' });
  expect(lines).toEqual([expect.stringContaining(`Task tasks.add[${result.taskId}] could not be sent`)]);
  await client.disconnect();
});
