/** The table of settings beside Celery's own: each of its settings is known, with its default, or has no meaning here. */
import { expect, test } from '@jest/globals';
import { resolveConfig } from '../../src/config/config.ts';
import { SETTINGS, type Row } from '../../src/config/table.ts';
import { findPython, python } from '../support/processes.ts';

const withPython = findPython() === undefined ? test.skip : test;

/** Where another default is chosen; each says so in its row. */
const CHOSEN = new Set([
  'broker_url',
  'worker_pool',
  'timezone',
  'redis_db',
  'redis_host',
  'redis_port',
  'worker_timer',
]);

withPython('every setting of Celery is in the table or of another broker, with the same default', async () => {
  const theirs = (await python(
    { broker: 'redis://localhost:1/0' },
    `from celery.app.defaults import NAMESPACES, flatten
def plain(v):
    return v if v is None or isinstance(v, (bool, int, float, str)) else list(v) if isinstance(v, (list, tuple, set)) else dict(v) if isinstance(v, dict) else v.total_seconds() if hasattr(v, 'total_seconds') else str(v)
print(json.dumps({k: None if o.default == float('inf') else plain(o.default) for k, o in flatten(NAMESPACES)}))`,
  )) as Record<string, unknown>;
  expect(Object.keys(theirs).length).toBeGreaterThan(150);

  const unknown: string[] = [];
  const different: unknown[] = [];
  for (const [name, value] of Object.entries(theirs)) {
    const row = (SETTINGS as Readonly<Record<string, Row<unknown>>>)[name];
    if (row === undefined) {
      // Known to be of no use here: only a warning.
      const { warnings } = resolveConfig({ module: { [name]: 'x' } });
      if (warnings.length !== 1) unknown.push(name);
    } else if (!CHOSEN.has(name) && row.isInert !== true) {
      // JSON, since Python's inf is no JSON number.
      const ours = JSON.stringify(row.default === Infinity ? null : row.default);
      const expected = JSON.stringify(value);
      if (ours !== expected) different.push([name, ours, expected]);
    }
  }
  expect(unknown).toEqual([]);
  expect(different).toEqual([]);
});
