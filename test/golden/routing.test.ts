/** What kombu made of binding keys and priorities, as recorded. */
import { describe, expect, test } from '@jest/globals';
import { matchBindings, topicPattern, type Binding } from '../../src/broker/bindings.ts';
import { priorityStep } from '../../src/broker/priorities.ts';
import { readRecording } from './recordings.ts';

interface TopicCase {
  kind: string;
  binding_key: string;
  stored_pattern: string;
  matches: Record<string, boolean>;
}

interface PriorityCase {
  kind: string;
  steps: number[];
  mapping: Record<string, number>;
}

const rows = readRecording<{ kind: string }>('misc-tables');
const ofKind = <T>(kind: string): T[] => rows.filter((row) => row.kind === kind) as T[];

describe('a topic binding', () => {
  const cases = ofKind<TopicCase>('topic-pattern');

  test('was recorded', () => expect(cases.length).toBeGreaterThan(5));

  test.each(cases)('of key $binding_key is stored as kombu stores it', ({ binding_key, stored_pattern }) => {
    expect(topicPattern(binding_key)).toBe(stored_pattern);
  });

  test.each(cases)(
    'of key $binding_key takes the routing keys kombu takes',
    ({ binding_key, stored_pattern, matches }) => {
      const binding: Binding = { routingKey: binding_key, pattern: stored_pattern, queue: 'q' };
      for (const type of ['topic', undefined] as const) {
        const taken = Object.keys(matches).filter((key) => matchBindings([binding], type, key).length === 1);
        expect(taken).toEqual(Object.keys(matches).filter((key) => matches[key]));
      }
    },
  );
});

describe('a priority', () => {
  const cases = ofKind<PriorityCase>('priority-step').flatMap(({ steps, mapping }) =>
    Object.entries(mapping).map(([priority, step]) => ({ steps, priority: Number(priority), step })),
  );

  test('was recorded', () => expect(cases.length).toBeGreaterThan(20));

  test.each(cases)('of $priority goes to step $step of $steps', ({ steps, priority, step }) => {
    // Recorded is the bare look-up; the transport clamps before it.
    expect(priorityStep(Math.min(priority, 9), steps)).toBe(step);
  });
});
