/** Settings modules that Node itself must load: jest's require is not Node's. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..', '..', '..');
let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'celeriac-settings-'));
  const files: Record<string, string> = {
    'one.ts': 'export const task_acks_late: boolean = true;',
    'esm.mjs':
      'export const task_acks_late = true; export function route() {} export default { workerConcurrency: 3 };',
    'late.mjs': 'await null; export const task_acks_late = true;',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
});
afterAll(() => rmSync(cwd, { recursive: true }));

function loadOutside(spec: string, nodeArgs: readonly string[] = []): { ok: unknown } | { error: string } {
  const program = `
    import { loadSettings } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'config', 'load.js')).href)};
    try { console.log(JSON.stringify({ ok: loadSettings(${JSON.stringify(spec)}) })); }
    catch (error) { console.log(JSON.stringify({ error: error.message })); }`;
  const output = execFileSync(process.execPath, [...nodeArgs, '--input-type=module', '-e', program], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return JSON.parse(output) as { ok: unknown } | { error: string };
}

describe('settings modules', () => {
  test('an ES module: its named exports and those of its default, functions left out', () => {
    expect(loadOutside('./esm.mjs')).toEqual({ ok: { task_acks_late: true, workerConcurrency: 3 } });
  });

  test('TypeScript where a loader is installed; else the error says what to do', () => {
    expect(loadOutside('./one.ts', ['--import', import.meta.resolve('tsx')])).toEqual({ ok: { task_acks_late: true } });
    if (Reflect.get(process.features, 'typescript')) return;
    expect(loadOutside('./one.ts')).toEqual({ error: expect.stringContaining("NODE_OPTIONS='--import tsx'") });
  });

  test('a module with a top-level await is refused, with the reason', () => {
    expect(loadOutside('./late.mjs')).toEqual({
      error: expect.stringContaining('it (or what it imports) has a top-level await'),
    });
  });
});
