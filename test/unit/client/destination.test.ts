/** Cases as a Python client of the same settings sends them: test/interop/routing.test.ts compares the two. */
import { describe, expect, test } from '@jest/globals';
import { Broadcast } from '../../../src/broker/queue.ts';
import { Queues } from '../../../src/broker/queues.ts';
import { destinationOf, type Route } from '../../../src/client/destination.ts';
import { resolveConfig } from '../../../src/config/config.ts';

const queues = new Queues(
  resolveConfig({
    explicit: {
      task_queues: [
        'celery',
        { name: 'b', exchange: 'bx', routingKey: 'bk' },
        { name: 'm', exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' },
        new Broadcast('news', { queue: 'n1' }),
      ],
    },
  }),
);

test.each<[string, Route, string, string, string]>([
  ['nothing given', {}, '', 'celery', 'celery'],
  ['a direct queue: its name, whatever its exchange', { queue: 'b' }, '', 'b', 'b'],
  ['a routing key alone does not matter to a direct queue', { queue: 'b', routingKey: 'rk' }, '', 'b', 'b'],
  ['nor does an exchange alone', { exchange: 'x' }, '', 'celery', 'celery'],
  ['nor a routing key without a queue', { routingKey: 'rk' }, '', 'celery', 'celery'],
  ['exchange and routing key', { exchange: 'x', routingKey: 'k' }, 'x', 'k', 'celery'],
  ['exchange and routing key win over a queue', { queue: 'b', exchange: 'x', routingKey: 'k' }, 'x', 'k', 'b'],
  ['a topic queue: by its exchange and own key', { queue: 'm' }, 'media', 'video.#', 'm'],
  ['a topic queue with a routing key', { queue: 'm', routingKey: 'video.mp4' }, 'media', 'video.mp4', 'm'],
  ['a topic queue with another exchange', { queue: 'm', exchange: 'x' }, 'x', '', 'm'],
  ['a broadcast', { queue: 'news' }, 'news', 'celery', 'n1'],
])('%s', (_case, route, exchange, routingKey, queue) => {
  const { queue: declared, ...destination } = destinationOf(queues, route);
  expect({ ...destination, queue: declared?.name }).toEqual({ exchange, routingKey, queue });
});

describe('where missing queues must not be made', () => {
  const strict = new Queues(resolveConfig({ explicit: { task_queues: ['a'], task_create_missing_queues: false } }));

  test('an unknown queue is refused, the default one too', () => {
    expect(() => destinationOf(strict, { queue: 'x' })).toThrow('unknown queue "x" (known: a)');
    expect(() => destinationOf(strict, {})).toThrow('unknown queue "celery" (known: a)');
  });

  test('an exchange needs no queue', () => {
    expect(destinationOf(strict, { exchange: 'x', routingKey: 'k' })).toEqual({ exchange: 'x', routingKey: 'k' });
  });
});
