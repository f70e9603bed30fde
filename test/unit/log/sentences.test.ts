import { expect, test } from '@jest/globals';
import { sentences } from '../../../src/log.ts';

/** What real Celery 5.6.3 prints, with these values filled in. */
test.each([
  [sentences.taskReceived('a.b', 'i'), 'Task a.b[i] received'],
  [sentences.taskAccepted('a.b', 'i', 7), 'Task accepted: a.b[i] pid:7'],
  [sentences.taskSucceeded('a.b', 'i', 0.25, "'x'"), "Task a.b[i] succeeded in 0.25s: 'x'"],
  [sentences.taskFailed('a.b', 'i', "ValueError('x')"), "Task a.b[i] raised unexpected: ValueError('x')"],
  [sentences.taskFailedExpectedly('a.b', 'i', 'E()'), 'Task a.b[i] raised expected: E()'],
  [sentences.taskInternalError('a.b', 'i', 'E()'), 'Task a.b[i] INTERNAL ERROR: E()'],
  [sentences.taskRetried('a.b', 'i', 'Retry in 3s'), 'Task a.b[i] retry: Retry in 3s'],
  [sentences.taskIgnored('a.b', 'i'), 'Task a.b[i] ignored'],
  [sentences.taskRejected('a.b', 'i', 'Reject()'), 'Task a.b[i] Reject()'],
  [sentences.taskRevoked('a.b', 'i'), 'Discarding revoked task: a.b[i]'],
  [sentences.taskRevoked('a.b', 'i', "{'k': 'v'}"), "Discarding revoked task: a.b[i] (revoked by header: {'k': 'v'})"],
  [sentences.softTimeLimit('a.b', 'i', 2), 'Soft time limit (2s) exceeded for a.b[i]'],
  [sentences.hardTimeLimit('a.b', 'i', 2), 'Hard time limit (2s) exceeded for a.b[i]'],
  [sentences.connected('redis://h:6379/0'), 'Connected to redis://h:6379/0'],
  [sentences.tryingAgain(2, 1, 100), 'Trying again in 2.00 seconds... (1/100)'],
  [sentences.tryingAgain(1, 2, null), 'Trying again in 1.00 second... (2/None)'],
  [sentences.tryingAgain(0.5, 1, 100), 'Trying again now... (1/100)'],
  [sentences.tryingAgain(61, 1, 100), 'Trying again in 1.02 minutes... (1/100)'],
  [sentences.cannotConnect('redis://h', 'why', 'next'), 'consumer: Cannot connect to redis://h: why.\nnext\n'],
])('"%s"', (sentence, expected) => expect(sentence).toBe(expected));

test('a traceback follows on its own lines', () => {
  expect(sentences.taskFailed('a', 'i', 'E()', 'Traceback ...')).toBe(
    'Task a[i] raised unexpected: E()\nTraceback ...',
  );
});

test('an unknown task is named as Celery names it, with the size of its body', () => {
  const text = sentences.unknownTask('no.such', Buffer.from('[[], {}, {}]'), '{}');
  expect(text).toContain("Received unregistered task of type 'no.such'.\nThe message has been ignored and discarded.");
  expect(text).toContain('body: [[], {}, {}] (12b)\nheaders: {}');
});

test('a body is cut to 1024 characters and cannot steer a terminal', () => {
  const text = sentences.decodeError('bad', `\x1b]0;title\x07${'x'.repeat(5_000)}`);
  expect(text).toContain('body: \\x1b]0;title\\x07xxx');
  expect(text.length).toBeLessThan(1_200);
  expect(text).toMatch(/\.\.\. \(5010b\)$/);
});

test('bytes that are no UTF-8 do not throw', () => {
  expect(sentences.decodeError('bad', new Uint8Array([255, 254]))).toMatch(/\(2b\)$/);
});
