/** The table of settings names options of the command line: they must be there, and lead to the setting. */
import { expect, test } from '@jest/globals';
import { workerCommand } from '../../../src/cli/worker.ts';
import { settingsOf } from '../../../src/cli/worker-settings.ts';
import { SETTING_NAMES, SETTINGS, type Row } from '../../../src/config/table.ts';

const flags = SETTING_NAMES.flatMap((name) => {
  const { flag }: Row<unknown> = SETTINGS[name];
  const [, long] = /^worker (?:-\w, )?(--[\w-]+)$/u.exec(flag ?? '') ?? [];
  return long === undefined ? [] : [[name, long] as const];
});

test('there are such settings', () => {
  expect(flags.length).toBeGreaterThan(15);
});

test.each(flags)('%s is set by %s', (name, long) => {
  const option = workerCommand().options.find((candidate) => candidate.long === long);
  if (option === undefined) throw new Error(`worker has no option ${long}`);
  const attribute = option.attributeName();
  expect(settingsOf({ [attribute]: attribute === 'umask' ? 18 : 'given' }, [])[name]).toBe(
    attribute === 'umask' ? '022' : 'given',
  );
});
