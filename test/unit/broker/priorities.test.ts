import { expect, test } from '@jest/globals';
import { priorityStep } from '../../../src/broker/priorities.ts';

test.each([
  [undefined, 0],
  [null, 0],
  ['', 0],
  ['x', 0],
  ['7', 6],
  [' 7 ', 6],
  ['7.5', 0],
  [7.9, 6],
  [true, 0],
  [-1, 0],
  [10, 9],
  [12n, 9],
  [-3n, 0],
  [4n, 3],
  [NaN, 0],
  [Infinity, 0],
  [[9], 0],
])('a priority of %p goes to step %d, as int() reads it in Python', (priority, step) => {
  expect(priorityStep(priority)).toBe(step);
});
