import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquirePidfile, refuseIfHeld } from '../../../src/cli/pidfile.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celeriac-pid-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text?: string): string => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

test('holds the pid as Celery writes it, and goes when it is released', () => {
  const path = file('new.pid');
  const lock = acquirePidfile(path);
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  lock.release();
  lock.release();
  expect(existsSync(path)).toBe(false);
});

test('a living process keeps others away, with exit code 73', () => {
  const path = file('held.pid', `${process.ppid}\n`);
  expect(() => acquirePidfile(path)).toThrow(
    expect.objectContaining({
      exitCode: 73,
      message: `ERROR: Pidfile (${path}) already exists.\nSeems we're already running? (pid: ${process.ppid})`,
    }),
  );
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`);
});

test.each([
  ['of a process that is gone', () => `${execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim()}\n`],
  ['of our own number, as in a container', () => `${process.pid}\n`],
  ['cut short', () => '12'],
  ['of something else', () => 'hello\n'],
  ['empty', () => ''],
])('a file %s is replaced', (what, text) => {
  const path = file(`${what}.pid`, text());
  const lock = acquirePidfile(path);
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  lock.release();
});

test('a file that somebody else has written since is left alone', () => {
  const path = file('taken.pid');
  const lock = acquirePidfile(path);
  writeFileSync(path, '1\n');
  lock.release();
  expect(readFileSync(path, 'utf8')).toBe('1\n');
});

test('a folder that is not there is said so, with exit code 73', () => {
  expect(() => acquirePidfile(join(folder, 'no', 'such.pid'))).toThrow(
    expect.objectContaining({ exitCode: 73, message: expect.stringContaining('cannot write the pidfile') }),
  );
  expect(() => refuseIfHeld(folder)).toThrow(expect.objectContaining({ exitCode: 73 }));
});
