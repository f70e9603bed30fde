/** The broker for the length of one command. */
import { brokerSettings, type BrokerSettings } from '../broker/settings.ts';
import type { Celeriac } from '../client/app.ts';
import { openRedis } from '../redis/connection.ts';
import type { RedisPort } from '../redis/port.ts';

export async function withBroker<T>(
  app: Celeriac,
  purpose: 'read' | 'write',
  use: (redis: RedisPort, settings: BrokerSettings) => Promise<T>,
): Promise<T> {
  const settings = brokerSettings(app.config, purpose);
  const redis = openRedis(settings.target, settings.connection);
  try {
    await redis.connect();
    return await use(redis, settings);
  } finally {
    await redis.close();
  }
}
