import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DisabledBackend, type Backend } from '../../../src/backend/backend.ts';
import { openBackend, type BackendConfig } from '../../../src/backend/open.ts';
import { BackendError, BrokerConnectionError, ConfigError } from '../../../src/errors.ts';
import { freePort, startServer, type TestServer } from '../../support/redis.ts';
import { recordingLogger, type LogLine } from '../../unit/backend/recording-logger.ts';
import { Harness } from './harness.ts';

let server: TestServer;
const opened: Backend[] = [];

beforeAll(async () => {
  server = await startServer(['--requirepass', 'secret']);
});
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});
afterAll(() => server.stop());

async function open(config: BackendConfig, keepForEver = false, lines: LogLine[] = []): Promise<Backend> {
  const backend = await openBackend(config, recordingLogger(lines), { keepForEver });
  opened.push(backend);
  return backend;
}

describe('without result_backend', () => {
  test.each([[{}], [{ resultBackend: null }], [{ resultBackend: '' }], [{ resultBackend: 'disabled://' }]])(
    '%j stores nothing and reads with a clear error',
    async (config) => {
      const backend = await open(config);
      expect(backend).toBeInstanceOf(DisabledBackend);
      expect(backend.isEnabled).toBe(false);
      await backend.store({ taskId: 'a', state: 'SUCCESS', result: 1 });
      for (const verb of [backend.fetch('a'), backend.fetchMany(['a']), backend.wait('a'), backend.forget('a')]) {
        await expect(verb).rejects.toThrow(BackendError);
        await expect(verb).rejects.toThrow(/set result_backend/);
      }
    },
  );
});

describe('the settings', () => {
  test('lead to prefix, time to live, database, password and result_extended', async () => {
    const backend = await open({
      resultBackend: `redis://127.0.0.1:${server.port}`,
      redisPassword: 'secret',
      redisDb: 3,
      resultExpires: 77,
      resultExtended: true,
      timezone: 'Asia/Kolkata',
      resultBackendTransportOptions: { global_keyprefix: 'app' },
    });
    expect(backend.displayUrl).not.toContain('secret');
    const extended = { name: 't', args: [], kwargs: {}, worker: 'w', retries: 0, queue: 'q' };
    await backend.store({ taskId: 'a', state: 'SUCCESS', result: 1, extended });
    const harness = new Harness();
    const redis = harness.redis(`redis://:secret@127.0.0.1:${server.port}/3`);
    const stored = JSON.parse((await redis.command('GET', 'app_celery-task-meta-a')) as string) as {
      date_done: string;
    };
    expect(stored).toMatchObject({ name: 't', queue: 'q' });
    expect(stored.date_done).toMatch(/\+05:30$/);
    expect(await redis.command('TTL', 'app_celery-task-meta-a')).toBe(77);
    await harness.closeAll();
  });

  test.each<[BackendConfig]>([
    [{ resultBackend: 'amqp://localhost' }],
    [{ resultBackend: 'redis://x', resultSerializer: 'pickle' }],
    [{ resultBackend: 'redis://x', resultSerializer: 'yamll' }],
    [{ resultBackend: 'redis://x', resultSerializer: 'raw' }],
    [{ resultBackend: 'redis://x', resultAcceptContent: ['pickle'] }],
    [{ resultBackend: 'redis://x', resultExpires: -1 }],
    [{ resultBackend: 'redis://x', resultBackendTransportOptions: { global_keyprefix: 7 } }],
    [{ resultBackend: 'redis://x', resultBackendTransportOptions: { retry_policy: { max_retries: 'a' } } }],
  ])('%j is a ConfigError', async (config) => {
    await expect(open(config)).rejects.toBeInstanceOf(ConfigError);
  });
});

describe("a worker's backend", () => {
  test('does not start where only other settings would help', async () => {
    const resultBackend = `redis://:secret@127.0.0.1:${server.port}/9999`;
    await expect(open({ resultBackend }, true)).rejects.toBeInstanceOf(BrokerConnectionError);
  });

  test('starts with a wrong password, says so, and writes when the server has been mended', async () => {
    const resultBackend = `redis://:wrong@127.0.0.1:${server.port}/0`;
    const lines: LogLine[] = [];
    const backend = await open({ resultBackend }, true, lines);
    expect(lines).toMatchObject([{ level: 'warn', message: expect.stringMatching(/results wait for it: .*password/) }]);
    const store = backend.store({ taskId: 'mended', state: 'SUCCESS', result: 1 });
    const harness = new Harness();
    const admin = harness.redis(`redis://:secret@127.0.0.1:${server.port}/0`);
    await admin.command('CONFIG', 'SET', 'requirepass', 'wrong');
    await store;
    expect(await backend.fetch('mended')).toMatchObject({ result: 1 });
    await admin.command('CONFIG', 'SET', 'requirepass', 'secret');
    await harness.closeAll();
  });

  test('starts while Redis is away, and writes when it comes', async () => {
    const port = await freePort();
    const lines: LogLine[] = [];
    const backend = await open({ resultBackend: `redis://127.0.0.1:${port}/0` }, true, lines);
    expect(lines).toMatchObject([{ level: 'warn' }]);
    const store = backend.store({ taskId: 'a', state: 'SUCCESS', result: 1 });
    const late = await startServer([], { port });
    await store;
    expect(await backend.fetch('a')).toMatchObject({ result: 1 });
    await opened.pop()?.close();
    await late.stop();
  });
});
