import { describe, expect, test } from '@jest/globals';
import { script } from '../../support/scripts.ts';

const { readArguments } = await script('test/arguments');
const { closingLine, isGood, sum, tallyOfJest } = await script('test/tally');
const { readNodeName } = await script('quickstart/worker-process');

const ALL = ['static', 'unit', 'golden', 'integration', 'interop'];

describe('what npm test is asked for', () => {
  test('without words, everything', () => {
    expect(readArguments([]).suites).toEqual(ALL);
  });
  test('named suites, in their own order', () => {
    expect(readArguments(['golden', 'unit'])).toMatchObject({ suites: ['unit', 'golden'], paths: [] });
  });
  test('a path runs in the suite it lies in', () => {
    expect(readArguments(['test/unit/scripts/a.test.ts'])).toMatchObject({
      suites: ['unit'],
      paths: ['test/unit/scripts/a.test.ts'],
    });
  });
  test('another word is a pattern for all suites that have test files', () => {
    expect(readArguments(['broker'])).toMatchObject({ suites: ALL.slice(1), paths: ['broker'] });
  });
  test('a test name goes to jest with its value, and leaves the static checks out', () => {
    expect(readArguments(['-t', 'unit'])).toMatchObject({ suites: ALL.slice(1), paths: [], flags: ['-t', 'unit'] });
  });
});

describe('the count', () => {
  test('a test file that could not be loaded is a failed test', () => {
    const report = {
      numPassedTests: 3,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 1,
      numRuntimeErrorTestSuites: 1,
    };
    expect(tallyOfJest(report)).toEqual({ passed: 3, failed: 2, skipped: 3 });
  });
  test('the closing line', () => {
    const total = sum([
      { passed: 1, failed: 0, skipped: 2 },
      { passed: 3, failed: 0, skipped: 0 },
    ]);
    expect(closingLine(total)).toBe('4 passed, 0 failed, 2 skipped');
  });
  test('is good only when something passed and nothing failed', () => {
    expect(isGood({ passed: 1, failed: 0, skipped: 0 })).toBe(true);
    expect(isGood({ passed: 0, failed: 0, skipped: 9 })).toBe(false);
    expect(isGood({ passed: 9, failed: 1, skipped: 0 })).toBe(false);
  });
});

test("the worker's sentence that it is ready is recognised in its log", () => {
  expect(readNodeName('[2026-01-01 00:00:00,000: INFO/MainProcess] celery@host ready.')).toBe('celery@host');
  expect(readNodeName('tasks ready to run')).toBeUndefined();
});
