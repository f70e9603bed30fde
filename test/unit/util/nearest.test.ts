import { expect, test } from '@jest/globals';
import { editDistance, nearestName } from '../../../src/util/nearest.ts';

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['acks', 'acks', 0],
])('"%s" is as far from "%s" as %d', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test('the nearest known name is found, and none where nothing is near', () => {
  const known = ['task_acks_late', 'task_track_started', 'timezone'];
  expect(nearestName('task_ack_late', known)).toBe('task_acks_late');
  expect(nearestName('timezne', known)).toBe('timezone');
  expect(nearestName('completely_different', known)).toBeNull();
});
