/** Channels on a real Redis for broker tests, with demand and deliveries in the test's hands. */
import { randomUUID } from 'node:crypto';
import { Channel, type ChannelOptions } from '../../src/broker/channel.ts';
import type { Delivery } from '../../src/broker/delivery.ts';
import type { Demand } from '../../src/broker/fetcher.ts';
import { FanoutChannels } from '../../src/broker/fanout.ts';
import { BrokerKeys } from '../../src/broker/keys.ts';
import { DEFAULT_PRIORITY_STEPS } from '../../src/broker/priorities.ts';
import { openRedis } from '../../src/redis/connection.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { parseRedisTarget } from '../../src/redis/url.ts';
import { keepingLogger } from './quiet-logger.ts';

export interface TestChannel {
  readonly channel: Channel;
  readonly deliveries: Delivery[];
  readonly log: string[];
  demand: Demand;
}

export function testChannel(url: string, overrides: Partial<ChannelOptions> = {}): TestChannel {
  const deliveries: Delivery[] = [];
  const log: string[] = [];
  const test = { deliveries, log, demand: { free: 10, room: 0, ahead: 0 } as Demand };
  const queues = overrides.queues ?? [
    { name: 'celery', exchange: 'celery', exchangeType: 'direct', routingKey: 'celery' },
  ];
  const channel = new Channel({
    target: parseRedisTarget(url),
    connection: { backoff: { startMs: 10, stepMs: 10, maxMs: 100, jitter: 0 } },
    keys: new BrokerKeys(),
    fanout: new FanoutChannels({ database: parseRedisTarget(url).db }),
    logger: keepingLogger(log),
    nodename: 'celery@test',
    prioritySteps: DEFAULT_PRIORITY_STEPS,
    queueOrderStrategy: 'round_robin',
    leaseSeconds: 2,
    recoveryIntervalSeconds: 0.3,
    visibilityTimeoutSeconds: 3600,
    unackedMutexExpireSeconds: 300,
    unackedRestoreLimit: null,
    unackedRestoreIntervalSeconds: 100,
    loopBlockLimitSeconds: 60,
    maxMessageBytes: 1_000_000,
    quarantineMaxLength: 1000,
    demand: () => ({
      ...test.demand,
      free: test.demand.free - deliveries.filter((delivery) => !delivery.isSettled).length,
    }),
    deliver: (batch) => deliveries.push(...batch),
    ...overrides,
    queues,
  });
  return Object.assign(test, { channel });
}

export function testPort(url: string): RedisPort {
  return openRedis(parseRedisTarget(url));
}

/** An envelope as kombu writes one, with anything the test wants changed. */
export function envelope(overrides: Record<string, unknown> = {}, properties: Record<string, unknown> = {}): string {
  const id = randomUUID();
  return JSON.stringify({
    body: Buffer.from('[[2, 2], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]').toString(
      'base64',
    ),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { lang: 'py', task: 'tasks.add', id },
    properties: {
      correlation_id: id,
      reply_to: '',
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: 'celery' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
      ...properties,
    },
    ...overrides,
  });
}
