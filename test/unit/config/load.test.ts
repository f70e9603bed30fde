import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadSettings } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/errors.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'celeriac-settings-'));
  const files: Record<string, string> = {
    'plain.json': '\uFEFF{ "task_acks_late": true, "resultExpires": 5 }',
    'plain.yaml': 'task_acks_late: true\ntask_routes:\n  feed.*: {queue: feeds}\n',
    'bad.json': '{ task_acks_late: true }',
    'list.json': '[1]',
    'proj/settings.cjs': 'module.exports = { task_acks_late: true, helper() {}, CELERY_TIMEZONE: "UTC" };',
    'celeryconfig.py': 'task_acks_late = True',
    'node_modules/our-settings/package.json': '{ "main": "main.cjs" }',
    'node_modules/our-settings/main.cjs': 'exports.nested = { deep: { task_acks_late: true } };',
    'throws.cjs': 'throw new RangeError("no secret found");',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(cwd, name, '..'), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }
});
afterAll(() => rmSync(cwd, { recursive: true }));

const load = (source: unknown, namespace?: string): unknown =>
  loadSettings(source, { cwd, ...(namespace === undefined ? {} : { namespace }) });

describe('settings from elsewhere', () => {
  test.each([
    ['JSON, with a byte order mark', 'plain.json', { task_acks_late: true, resultExpires: 5 }],
    ['a path without its extension', './plain', { task_acks_late: true, resultExpires: 5 }],
    ['YAML', 'plain.yaml', { task_acks_late: true, task_routes: { 'feed.*': { queue: 'feeds' } } }],
    ['CommonJS, in Python’s way of writing a path', 'proj.settings', { task_acks_late: true, CELERY_TIMEZONE: 'UTC' }],
    ['an export of a package', 'our-settings:nested.deep', { task_acks_late: true }],
  ])('%s', (_what, spec, expected) => {
    expect(load(spec)).toEqual(expected);
  });

  test('a file: URL, and an object', () => {
    expect(load(pathToFileURL(join(cwd, 'plain.json')))).toEqual({ task_acks_late: true, resultExpires: 5 });
    const route = (): string => 'q';
    expect(load({ task_routes: route })).toEqual({ task_routes: route });
  });

  test('with a namespace only what begins so', () => {
    const given = { CELERY_TASK_ACKS_LATE: true, celery_timezone: 'x', DEBUG: true, task_acks_late: false };
    expect(load(given, 'CELERY')).toEqual({ task_acks_late: true });
    expect(load({ celery_taskAcksLate: true, CELERY_X: 1 }, 'celery')).toEqual({ taskAcksLate: true });
  });

  test.each([
    ['./nothing', 'there is no settings module "./nothing" in '],
    ['bad.json', 'bad.json: SyntaxError'],
    ['list.json', 'the settings in list.json must be an object, not a list'],
    ['celeryconfig.py', 'is Python, which celeriac does not run'],
    ['throws.cjs', 'throws.cjs: RangeError: no secret found'],
    ['proj.settings:nothing', 'has no export "nothing"'],
    [5, 'configFromObject: settings must be an object, not 5'],
  ])('%s is refused', (source, message) => {
    expect(() => load(source)).toThrow(ConfigError);
    expect(() => load(source)).toThrow(message);
  });
});
