/**
 * The Redis of one bench run: a real server of its own (scripts/bootstrap finds it) on a free port of loopback, without
 * persistence, so that no other client and no disk disturbs a figure, and so that it may be emptied. Broker in database
 * 0 and results in database 1, as production often has it; here it also makes a count of the results one DBSIZE.
 */
import { Redis } from 'ioredis';
import { startRedis } from '../bootstrap/redis.mjs';

/** @param {import('../bootstrap/log.mjs').Log} log */
export async function startServer(log) {
  // Every turn empties the server: one that a variable of the environment names is somebody's, and is never taken.
  delete process.env.CELERIAC_REDIS_URL;
  const redis = await startRedis({ log });
  const admin = new Redis({ host: redis.host, port: redis.port, maxRetriesPerRequest: null });

  return {
    host: redis.host,
    port: redis.port,
    brokerUrl: redis.urlOf(0),
    backendUrl: redis.urlOf(1),
    version: redis.version,

    /** A connection for the bench itself. */
    connect: (db) => new Redis({ host: redis.host, port: redis.port, db, maxRetriesPerRequest: null }),

    /** CPU microseconds the server used since it started, all threads. */
    async cpuMicroseconds() {
      const cpu = await admin.info('cpu');
      const seconds = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(cpu)[1]);
      return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
    },

    /** An empty server for the next contender. */
    flush: () => admin.flushall('SYNC'),

    async stop() {
      admin.disconnect();
      await redis.stop();
    },
  };
}
