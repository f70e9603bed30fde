import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Delivery } from '../../../src/broker/delivery.ts';
import { FanoutConsumer } from '../../../src/broker/fanout-consumer.ts';
import { FanoutChannels } from '../../../src/broker/fanout.ts';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import type { QueueDeclaration } from '../../../src/broker/queue.ts';
import type { MessageListener, RedisPort, SubscriberPort } from '../../../src/redis/port.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

let deliveries: Delivery[];
let log: string[];
let subscribed: string[];
let publish: MessageListener;
let consumer: FanoutConsumer;

function create(queues: readonly QueueDeclaration[]): FanoutConsumer {
  const done = (): Promise<void> => Promise.resolve();
  const note =
    (verb: string) =>
    (...channels: string[]): Promise<void> => {
      subscribed.push(...channels.map((channel) => `${verb} ${channel}`));
      return Promise.resolve();
    };
  const subscriber = {
    connect: done,
    close: done,
    subscribe: note('SUBSCRIBE'),
    psubscribe: note('PSUBSCRIBE'),
    onMessage: (listener: MessageListener) => {
      publish = listener;
    },
  };
  return new FanoutConsumer({
    queues,
    subscriber: subscriber as unknown as SubscriberPort,
    redis: {} as RedisPort,
    keys: new BrokerKeys(),
    channels: new FanoutChannels({ database: 0 }),
    logger: keepingLogger(log),
    maxMessageBytes: 100,
    quarantineMaxLength: 10,
    deliver: (batch) => deliveries.push(...batch),
  });
}

const queue = (name: string, routingKey = 'k', exchange = 'e'): QueueDeclaration => ({
  name,
  exchange,
  exchangeType: 'fanout',
  routingKey,
});
const send = (channel = '/0.e/k', pattern: string | null = null): void => publish(channel, Buffer.from('{}'), pattern);

beforeEach(() => {
  jest.useFakeTimers();
  [deliveries, log, subscribed] = [[], [], []];
  consumer = create([queue('one')]);
});
afterEach(async () => {
  await consumer.stop();
  jest.useRealTimers();
});

test('a plain channel is subscribed as such, since an ACL may allow nothing else; patterns are patterns', async () => {
  consumer = create([queue('a'), queue('b', 'x.#'), queue('c', 'x.#')]);
  await consumer.start();
  expect(subscribed).toEqual(['SUBSCRIBE /0.e/k', 'PSUBSCRIBE /0.e/x.*']);
  send();
  send('/0.e/x.1', '/0.e/x.*');
  send('/0.e/k', '/0.somebody/else');
  expect(deliveries.map((delivery) => delivery.queue)).toEqual(['a', 'b', 'c']);
});

test('a flood is cut off at 10,000 copies in hand, which is said once in a thousand', async () => {
  await consumer.start();
  for (let i = 0; i < 11_500; i += 1) send();
  expect(deliveries).toHaveLength(10_000);
  expect(log).toEqual([
    expect.stringContaining(
      'ERROR 10000 broadcasts wait for a slot: those of queue "one" that come now are dropped (1 so far)',
    ),
    expect.stringContaining('(1001 so far)'),
  ]);
  await deliveries[0]?.ack();
  send();
  expect(deliveries).toHaveLength(10_001);
});

test('one for later than timers reach is not delivered at once', async () => {
  await consumer.start();
  send();
  const now = Date.now() / 1000;
  await deliveries[0]?.park(now + 40 * 86_400);
  jest.advanceTimersByTime(24 * 86_400_000);
  expect(deliveries).toHaveLength(1);
  // Early: whoever receives it parks it again.
  jest.advanceTimersByTime(86_400_000);
  expect(deliveries).toHaveLength(2);
});

test('each copy is settled once, and its verbs answer false after that', async () => {
  await consumer.start();
  send();
  const field = deliveries[0]?.field as string;
  expect(await deliveries[0]?.ack()).toBe(true);
  expect(await consumer.ack(field)).toBe(false);
  expect(await consumer.requeue(field)).toBe(false);
  expect(await consumer.park(field, 'one', 0)).toBe(false);
  expect(await consumer.quarantine(field, 'one', 'x')).toBe(false);
});

test('nothing is delivered once it stopped', async () => {
  await consumer.start();
  send();
  await consumer.stop();
  send();
  expect(deliveries).toHaveLength(1);
  expect(log).toEqual([expect.stringContaining('Dropped 1 broadcast(s)')]);
});
