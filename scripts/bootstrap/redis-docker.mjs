/*
 * Redis in a container, where a container engine answers; the container goes with us (testcontainers' reaper).
 */
import { checkServer } from './redis-facts.mjs';

const IMAGE = 'redis:7.4-alpine';

/** @returns {Promise<import('./redis-process.mjs').OwnServer>} */
export async function startInDocker() {
  // Lazy: a package, which is there only after npm ci, and which takes a second to load.
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  await getContainerRuntimeClient();
  const container = await new GenericContainer(IMAGE)
    .withCommand(['redis-server', '--save', '', '--appendonly', 'no', '--databases', '64'])
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(180_000)
    .start();
  const host = container.getHost();
  const port = container.getMappedPort(6379);
  const url = `redis://${host}:${port}/0`;
  const stop = async () => void (await container.stop());
  try {
    return {
      url,
      host,
      port,
      version: await checkServer(url),
      databases: Array.from({ length: 64 }, (_, i) => i),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
