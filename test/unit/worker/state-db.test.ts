import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../../src/errors.ts';
import { LimitedSet } from '../../../src/util/limited-set.ts';
import { StateDb } from '../../../src/worker/state-db.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celeriac-state-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const revokes = (): LimitedSet => new LimitedSet(100, 1000, uptime);

test('revoked ids outlive the worker, with their times', () => {
  const path = join(folder, 'state');
  const before = revokes();
  const db = new StateDb(path, before, keepingLogger());
  db.start();
  before.add('old', uptime() - 900);
  before.add('new');
  db.stop();

  const after = revokes();
  const again = new StateDb(path, after, keepingLogger());
  again.start();
  expect([...after]).toEqual(['old', 'new']);
  const [, added] = [...after.entries()][0] as [string, number];
  expect(uptime() - added).toBeGreaterThan(899);
  expect(uptime() - added).toBeLessThan(905);
  again.stop();
  expect(readdirSync(folder)).toEqual(['state']);
});

test('what has expired meanwhile is forgotten, also over a restart of the machine', () => {
  const path = join(folder, 'aged');
  const now = Date.now() / 1000;
  writeFileSync(
    path,
    JSON.stringify({
      format: 'celeriac-state',
      version: 1,
      revoked: [['a', now - 1001], ['b', now - uptime() - 5], ['c', now - 10], 7],
    }),
  );
  const set = revokes();
  const db = new StateDb(path, set, keepingLogger());
  db.start();
  expect(set.has('a')).toBe(false);
  expect(set.has('c')).toBe(true);
  expect(set.has('b')).toBe(uptime() + 5 < 1000);
  db.stop();
});

test.each([
  ['Python’s', '\x80\x04\x95 pickled'],
  ['another program’s', '{"revoked": []}'],
])('a file of %s format is refused and stays as it is', (_what, text) => {
  const path = join(folder, 'foreign');
  writeFileSync(path, text);
  expect(() => new StateDb(path, revokes(), keepingLogger()).start()).toThrow(ConfigError);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a file that cannot be written is told once and stops nothing', () => {
  const lines: string[] = [];
  const path = join(folder, 'gone', 'state');
  const set = revokes();
  const db = new StateDb(path, set, keepingLogger(lines));
  set.add('a');
  db.stop();
  db.stop();
  expect(lines).toEqual([`ERROR statedb: cannot write ${path}`]);
});
