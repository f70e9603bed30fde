import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MetaCodec } from '../../src/backend/meta-codec.ts';
import type { RedisBackend } from '../../src/backend/redis-backend.ts';
import { shouldStore } from '../../src/backend/should-store.ts';
import type { ResultRecord } from '../../src/protocol/result-meta.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { Harness, until } from '../integration/backend/harness.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { Peer } from './backend/peer.ts';

// A Python with celery[redis] 5.6, msgpack and pyyaml.
const python = process.env['CELERIAC_TEST_PYTHON'] ?? '';
const withPython = python === '' ? describe.skip : describe;

let server: TestRedis;
beforeAll(async () => {
  server = await testRedis();
});
afterAll(() => server.stop());

interface Seen {
  state: string;
  ready: boolean;
  failed: boolean;
  is_exception: boolean;
  repr: string;
  type: string;
  traceback: string | null;
  children: string;
  date_done: string | null;
  name: string | null;
  worker: string | null;
}

const key = (id: string): string => `celery-task-meta-${id}`;
const record = (taskId: string, state: string, result: unknown = null): ResultRecord => ({ taskId, state, result });
const wire = (exc_type: string, exc_message: unknown[], exc_module: string | null): object => ({
  exc_type,
  exc_message,
  exc_module,
});

withPython.each(['json', 'yaml', 'msgpack'])(
  'beside Celery with result_serializer %s (needs CELERIAC_TEST_PYTHON)',
  (serializer) => {
    let url: string;
    let peer: Peer;
    let harness: Harness;
    let redis: RedisPort;
    let backend: RedisBackend;

    beforeAll(async () => {
      url = server.freshDb();
      peer = await Peer.start(python, url, serializer);
    });
    afterAll(() => peer.stop());
    beforeEach(() => {
      harness = new Harness();
      redis = harness.redis(url);
      backend = harness.backend(url, { meta: { serializer, extended: true } }).backend;
    });
    afterEach(() => harness.closeAll());

    const read = (task_id: string): Promise<Seen> => peer.ask<Seen>('read', { task_id });

    test.each<[string, unknown, Partial<Seen>]>([
      [
        'STARTED',
        { hostname: 'w@h', pid: 7 },
        { ready: false, repr: "{'hostname': 'w@h', 'pid': 7}", date_done: null },
      ],
      ['PROGRESS', { done: 1 }, { ready: false, repr: "{'done': 1}", date_done: null }],
      ['SUCCESS', ['a', 1, null, { k: true }], { ready: true, repr: "['a', 1, None, {'k': True}]", children: '[]' }],
      ['RETRY', wire('KeyError', ['k'], 'builtins'), { ready: false, is_exception: true, repr: "KeyError('k')" }],
      ['RETRY', null, { ready: false, is_exception: false, repr: 'None' }],
      ['FAILURE', wire('ValueError', ['bad', 1], 'builtins'), { failed: true, repr: "ValueError('bad', 1)" }],
      [
        'FAILURE',
        wire('HttpError', ['404'], 'celeriac.errors'),
        { type: 'celery.exceptions.HttpError', repr: "HttpError('404')" },
      ],
      ['FAILURE', wire('NoModule', [], null), { type: 'celery.backends.base.NoModule', repr: 'NoModule()' }],
      [
        'REVOKED',
        wire('TaskRevokedError', ['terminated'], 'celery.exceptions'),
        { ready: true, repr: "TaskRevokedError('terminated')" },
      ],
    ])('AsyncResult reads our %s of %j', async (state, result, expected) => {
      const id = `ours-${state}-${JSON.stringify(result).length}`;
      await backend.store({ ...record(id, state, result), traceback: state === 'FAILURE' ? 'Traceback: ours' : null });
      const seen = await read(id);
      expect(seen).toMatchObject({ state, ...expected });
      expect(seen.traceback).toBe(state === 'FAILURE' ? 'Traceback: ours' : null);
      if (seen.ready) expect(Math.abs(Date.parse(seen.date_done ?? '') - Date.now())).toBeLessThan(60_000);
    });

    test('a task we know nothing of is PENDING for both', async () => {
      expect((await read('nobody')).state).toBe('PENDING');
      expect((await backend.fetch('nobody')).status).toBe('PENDING');
    });

    const REQUEST = {
      group: 'g-1',
      parent_id: 'p-1',
      task: 't.add',
      args: [1, 2],
      kwargs: { z: 3 },
      hostname: 'w@host',
      retries: 2,
      delivery_info: { routing_key: 'q2' },
      stamps: { tag: ['a'] },
      stamped_headers: ['tag'],
      children: [],
    };
    test.each<[string, Record<string, unknown>]>([
      ['SUCCESS', { result: { text: 'naïve ☃ 😀', list: [1, 2.5, -7, null, true], nested: { a: {} } } }],
      ['SUCCESS', { result: 'status: SUCCESS', request: {} }],
      ['SUCCESS', { result: 3, request: REQUEST }],
      ['STARTED', { result: { pid: 7, hostname: 'w@h' } }],
      ['PROGRESS', { result: { done: 1 }, request: { children: [] } }],
      ['RETRY', { exc: { type: 'KeyError', args: ['k'] }, traceback: 'Traceback ...\n' }],
      [
        'FAILURE',
        { exc: { type: 'ValueError', args: ['bad', 1, { k: [] }] }, traceback: 'Traceback\n  "x"\n', request: REQUEST },
      ],
      ['FAILURE', { exc: { type: 'CustomError', args: [] }, request: {} }],
      ['REVOKED', { exc: { type: 'ValueError', args: ['revoked'] }, request: {} }],
    ])('we read what Celery stores as %s with %j, and write the same for it, byte by byte', async (state, given) => {
      const id = `theirs-${state}-${JSON.stringify(given).length}`;
      await peer.ask('store', { task_id: id, state, ...given });
      const meta = await backend.fetch(id);
      expect(meta).toMatchObject({ taskId: id, status: state });
      if ('result' in given) expect(meta.result).toEqual(given['result']);
      else expect(meta.result).toMatchObject({ exc_type: (given['exc'] as { type: string }).type });
      if (given['request'] === REQUEST) {
        expect(meta).toMatchObject({
          groupId: 'g-1',
          parentId: 'p-1',
          extra: { name: 't.add', worker: 'w@host', tag: ['a'] },
        });
      }

      const { extra } = meta;
      const again: ResultRecord = {
        taskId: id,
        state: meta.status,
        result: meta.result,
        traceback: meta.traceback,
        children: meta.children,
        dateDone: meta.dateDone,
        groupId: meta.groupId,
        parentId: meta.parentId,
        ...('name' in extra
          ? {
              extended: {
                name: extra['name'] as string | null,
                args: extra['args'],
                kwargs: extra['kwargs'],
                worker: extra['worker'] as string | null,
                retries: extra['retries'] as number | null,
                queue: extra['queue'] as string | null,
                ...('tag' in extra ? { stampedHeaders: ['tag'], stamps: { tag: extra['tag'] } } : {}),
              },
            }
          : {}),
      };
      const codec = new MetaCodec({ serializer, extended: true });
      const bytes = (await redis.commandBuffers('GET', key(id))) as Buffer;
      // YAML has several spellings of a text with line breaks; what they mean is compared there.
      if (serializer === 'yaml') expect(codec.decode(Buffer.from(codec.encode(again)))).toEqual(meta);
      else expect(Buffer.from(codec.encode(again)).toString('latin1')).toBe(bytes.toString('latin1'));
    });

    test('neither overwrites the SUCCESS of the other, both overwrite a FAILURE', async () => {
      await backend.store(record('s1', 'SUCCESS', 'ours'));
      await peer.ask('store', { task_id: 's1', state: 'FAILURE', exc: { type: 'ValueError', args: [] } });
      expect(await backend.fetch('s1')).toMatchObject({ status: 'SUCCESS', result: 'ours' });
      await peer.ask('store', { task_id: 's2', state: 'SUCCESS', result: 'theirs' });
      await backend.store(record('s2', 'FAILURE', wire('ValueError', [], 'builtins')));
      expect(await backend.fetch('s2')).toMatchObject({ status: 'SUCCESS', result: 'theirs' });

      await backend.store(record('f1', 'FAILURE', wire('ValueError', [], 'builtins')));
      await peer.ask('store', { task_id: 'f1', state: 'SUCCESS', result: 1 });
      expect((await read('f1')).state).toBe('SUCCESS');
      await peer.ask('store', { task_id: 'f2', state: 'FAILURE', exc: { type: 'ValueError', args: [] } });
      await backend.store(record('f2', 'SUCCESS', 1));
      expect((await read('f2')).state).toBe('SUCCESS');
    });

    test("each wakes the other's wait", async () => {
      const theirs = peer.ask('get', { task_id: 'w1' });
      await until(
        async () => String(await redis.command('PUBSUB', 'CHANNELS')).includes(key('w1')),
        'Python subscribes',
      );
      await backend.store(record('w1', 'STARTED', {}));
      await backend.store(record('w1', 'SUCCESS', 'woken'));
      expect(await theirs).toEqual({ value: 'woken' });

      const ours = backend.wait('w2', { timeoutMs: 10_000 });
      await until(async () => String(await redis.command('PUBSUB', 'CHANNELS')).includes(key('w2')), 'we subscribe');
      await peer.ask('store', { task_id: 'w2', state: 'SUCCESS', result: [1] });
      expect(await ours).toMatchObject({ result: [1] });

      await backend.store(record('w3', 'FAILURE', wire('ValueError', ['bad'], 'builtins')));
      expect(await peer.ask('get', { task_id: 'w3' })).toEqual({ raised: "ValueError('bad')", type: 'ValueError' });
    });

    test('a custom state of a task that ignores results is stored, as we do', async () => {
      await peer.ask('update_state_ignored', { task_id: 'i1' });
      expect(await backend.fetch('i1')).toMatchObject({ status: 'PROGRESS', result: { done: 1 } });
      expect(shouldStore('PROGRESS', { ignoreResult: true, storeErrorsEvenIfIgnored: false })).toBe(true);
    });
  },
);
