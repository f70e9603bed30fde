import { describe, expect, test } from '@jest/globals';
import { shouldStore } from '../../../src/backend/should-store.ts';

// state, stored; stored when results are ignored; and when errors are kept nevertheless
const TABLE: [string, boolean, boolean, boolean][] = [
  ['STARTED', true, false, false],
  ['SUCCESS', true, false, false],
  ['FAILURE', true, false, true],
  ['REVOKED', true, false, true],
  ['RETRY', true, false, true],
  ['PROGRESS', true, true, true],
  ['PENDING', false, false, false],
  ['RECEIVED', false, false, false],
  ['REJECTED', false, false, false],
  ['IGNORED', false, false, false],
];

describe('what is stored', () => {
  test.each(TABLE)('%s: %j, ignored %j, ignored but errors kept %j', (state, normally, ignored, errorsKept) => {
    expect(shouldStore(state, { ignoreResult: false, storeErrorsEvenIfIgnored: false })).toBe(normally);
    expect(shouldStore(state, { ignoreResult: false, storeErrorsEvenIfIgnored: true })).toBe(normally);
    expect(shouldStore(state, { ignoreResult: true, storeErrorsEvenIfIgnored: false })).toBe(ignored);
    expect(shouldStore(state, { ignoreResult: true, storeErrorsEvenIfIgnored: true })).toBe(errorsKept);
  });
});
