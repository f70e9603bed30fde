/** README's worker and its Python caller, as they stand there. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPython, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const block = (language: string): string => {
  const [, code] = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme) ?? [];
  if (code === undefined) throw new Error(`README.md has no ${language}`);
  return code;
};
const linesOf = (code: string): number => code.split('\n').filter((line) => line.trim() !== '').length;

let server: TestRedis;
let url: string;
let project: string;
let worker: RunningWorker;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  project = mkdtempSync(join(tmpdir(), 'celeriac-readme-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'celeriac'), 'dir');
  writeFileSync(join(project, 'tasks.mjs'), block('js'));
  writeFileSync(join(project, 'caller.py'), block('python'));
  // Celery's own variables win over the URLs in the code, so a program can be redirected.
  worker = await startWorker(
    { broker: url },
    { app: join(project, 'tasks.mjs'), env: { CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url } },
  );
});
afterAll(async () => {
  expect(await worker.stop()).toBe(0);
  await server.stop();
  rmSync(project, { recursive: true, force: true });
});

test('a worker takes a dozen lines or so, its caller half a dozen', () => {
  expect(linesOf(block('js'))).toBeLessThanOrEqual(14);
  expect(linesOf(block('python'))).toBeLessThanOrEqual(6);
});

test('the caller prints what README says', async () => {
  const expected = /print\(.*\) {2}# (\S+)/.exec(block('python'))?.[1];
  const { stdout } = await promisify(execFile)(findPython() as string, [join(project, 'caller.py')], {
    env: { ...process.env, CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url },
    timeout: 30_000,
  });
  expect(expected).toBe('4');
  expect(stdout.trim()).toBe(expected);
});
