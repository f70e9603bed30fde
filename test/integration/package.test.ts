/** The built package as its users load it: by import, by require, through the command, and what of it is published. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
let project: string;

beforeAll(() => {
  // A project that has the package installed, as `npm install <folder>` does it.
  project = mkdtempSync(join(tmpdir(), 'celeriac-user-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'celeriac'), 'dir');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Runs a file of the user's and returns what it prints, as JSON; warnings go to the standard error, which must be empty. */
async function node(file: string, source: string): Promise<unknown> {
  writeFileSync(join(project, file), source);
  const { stdout, stderr } = await run(process.execPath, [join(project, file)], { cwd: project });
  expect(stderr.replace(/^.*(ExperimentalWarning: CommonJS module|Use `node --trace-warnings).*\n/gm, '')).toBe('');
  return JSON.parse(stdout);
}

test('require and import give the same objects', async () => {
  const result = await node(
    'both.cjs',
    `const required = require('celeriac');
     import('celeriac').then((imported) => {
       const names = Object.keys(imported).filter((name) => name !== 'default' && name !== 'module.exports');
       const other = names.filter((name) => imported[name] !== required[name]);
       console.log(JSON.stringify({ count: names.length, other, app: typeof new required.Celeriac('x').task }));
     });`,
  );
  const exported = Object.keys(await import('../../src/index.ts'));
  expect(result).toEqual({ count: exported.length, other: [], app: 'function' });
});

test('an ES module and a CommonJS module in one process share apps and errors', async () => {
  writeFileSync(
    join(project, 'tasks.cjs'),
    `const { Celeriac, Ignore } = require('celeriac');
     const app = new Celeriac('cjs');
     exports.app = app;
     exports.Ignore = Ignore;
     exports.who = app.task('who', { bind: true }, (task) => task.name);`,
  );
  const result = await node(
    'main.mjs',
    `import { Celeriac, Ignore } from 'celeriac';
     import tasks from './tasks.cjs';
     console.log(JSON.stringify([tasks.app instanceof Celeriac, new tasks.Ignore() instanceof Ignore, await tasks.who.run()]));`,
  );
  expect(result).toEqual([true, true, 'who']);
});

test('the types stand beside the code', () => {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
    bin: Record<string, string>;
  };
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? target : Object.values(target),
  );
  for (const file of [...targets, ...Object.values(bin)])
    expect([file, existsSync(join(root, file))]).toEqual([file, true]);
});

test('the command tells its version, and 2 for what it does not know', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const main = join(root, 'dist', 'cli', 'main.js');
  expect((await run(process.execPath, [main, '--version'])).stdout.trim()).toBe(version);
  for (const wrong of [
    ['--no-such-flag'],
    ['worker', '--no-such-flag'],
    ['worker', '-c', 'many'],
    ['no-such-command'],
  ]) {
    await expect(run(process.execPath, [main, ...wrong])).rejects.toMatchObject({ code: 2 });
  }
});

test('a package made of it holds what runs and what explains it, and no tests', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    maxBuffer: 1 << 25,
  });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'ARCHITECTURE.md',
      'dist/index.js',
      'dist/index.d.ts',
    ]),
  );
  // Entries that other files start by path, which no import leads to.
  expect(paths).toEqual(expect.arrayContaining(['dist/cli/main.js', 'dist/broker/lease-thread.js']));
  expect(paths.filter((path) => /^(src|test|scripts|examples|\.)/.test(path))).toEqual([]);
});
