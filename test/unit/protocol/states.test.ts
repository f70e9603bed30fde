import { expect, test } from '@jest/globals';
import { ALL_STATES, precedence, READY_STATES, UNREADY_STATES } from '../../../src/protocol/states.ts';

test('ranks states as Celery does, a custom one between FAILURE and REVOKED', () => {
  const ranked = ['SUCCESS', 'FAILURE', 'PROGRESS', 'REVOKED', 'STARTED', 'RECEIVED', 'REJECTED', 'RETRY', 'PENDING'];
  expect([...ranked].reverse().sort((a, b) => precedence(a) - precedence(b))).toEqual(ranked);
});

test('no state is ready and unready at once, and every stored one is either', () => {
  for (const state of ALL_STATES) expect(READY_STATES.has(state)).not.toBe(UNREADY_STATES.has(state));
});
