import { expect, test } from '@jest/globals';
import { LastingTrouble } from '../../../src/util/lasting-trouble.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

test('is told aloud once for each reason, quietly for each further time, and aloud when it is over', () => {
  const lines: string[] = [];
  const trouble = new LastingTrouble(keepingLogger(lines));
  trouble.over(() => 'there was none');
  trouble.met('refused', 'refused, in 1 s');
  trouble.met('refused', 'refused, in 2 s');
  expect(trouble.isOn).toBe(true);
  trouble.met('loading', 'loading, in 4 s');
  trouble.met('loading', 'loading, in 8 s');
  trouble.over((seconds) => `over after ${seconds} s`);
  trouble.over(() => 'it was over already');
  trouble.met('loading', 'loading, again');
  expect(lines).toEqual([
    'ERROR refused, in 1 s',
    'DEBUG refused, in 2 s',
    'ERROR loading, in 4 s',
    'DEBUG loading, in 8 s',
    'INFO over after 0.0 s',
    'ERROR loading, again',
  ]);
});
