/** What a worker can be started from, and as. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorker, type RunningWorker } from '../../support/processes.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const typed = join(root, 'test', 'fixtures', 'apps', 'typed.ts');
const isRoot = process.getuid?.() === 0;

let server: TestRedis;
let worker: RunningWorker | undefined;
let folder: string;

beforeAll(async () => {
  server = await testRedis();
  folder = mkdtempSync(join(tmpdir(), 'celeriac-start-'));
  chmodSync(folder, 0o777);
});
afterEach(async () => {
  await worker?.kill();
  worker = undefined;
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('a TypeScript app where a loader is installed', async () => {
  worker = await startWorker({ broker: server.url }, { app: typed, env: { NODE_OPTIONS: '--import tsx' } });
  expect(worker.output()).toContain('. tasks.typed');
});

test('without a loader the error says what to do', () => {
  if (Reflect.get(process.features, 'typescript')) return;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist', 'cli', 'main.js'), '-A', typed, 'worker'],
    {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  expect([status, stderr]).toEqual([2, expect.stringContaining("NODE_OPTIONS='--import tsx'")]);
});

(isRoot ? test : test.skip)('--uid: root becomes the user, and its files are that user’s', async () => {
  const pidfile = join(folder, 'user.pid');
  worker = await startWorker({ broker: server.url }, { args: ['--uid', 'nobody', '--pidfile', pidfile] });
  const { uid } = statSync(pidfile);
  expect(uid).not.toBe(0);
  expect(statSync(`/proc/${worker.pid}`).uid).toBe(uid);
});

test('--uid: nobody of that name', () => {
  const app = join(root, 'test', 'fixtures', 'apps', 'interop.mjs');
  const args = [join(root, 'dist', 'cli', 'main.js'), '-A', app, 'worker', '--uid', 'no-such-user'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([1, 'Error: User does not exist: no-such-user\n']);
});
