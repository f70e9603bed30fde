/**
 * Asks Sentinels for the master's address. Counterpart: redis-py sentinel.py discover_master, 6.4: the first Sentinel
 * counts that knows the master, holds it for alive and sees enough others.
 */

import { type Socket } from 'node:net';
import { BrokerConnectionError } from '../errors.ts';
import { createClient } from './client.ts';
import { asError, explain, withoutArguments } from './errors.ts';
import { openSocket } from './socket.ts';
import { type RedisAddress, type SentinelSettings } from './url.ts';

/**
 * The master's address, asked anew for every connection.
 * @throws BrokerConnectionError that tells what each Sentinel said.
 */
export async function discoverMaster(
  settings: SentinelSettings,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<RedisAddress> {
  const complaints: string[] = [];
  for (const sentinel of settings.sentinels) {
    signal.throwIfAborted();
    try {
      const state = await askSentinel(sentinel, settings, timeoutMs, signal);
      const address = masterAddress(state, settings);
      if (typeof address !== 'string') return address;
      complaints.push(`${sentinel.host}:${sentinel.port}: ${address}`);
    } catch (error) {
      const reason = explain(withoutArguments(asError(error)));
      complaints.push(`${sentinel.host}:${sentinel.port}: ${reason.message}`);
    }
  }
  throw new BrokerConnectionError(
    `no Sentinel knows a usable master "${settings.masterName}" (${complaints.join('; ')})`,
  );
}

/** The address, or why this answer does not count. */
function masterAddress(state: ReadonlyMap<string, string>, settings: SentinelSettings): RedisAddress | string {
  const flags = (state.get('flags') ?? '').split(',');
  const down = flags.find((flag) => flag === 's_down' || flag === 'o_down');
  if (down) return `holds the master for down (${down})`;
  if (!flags.includes('master')) return `"${settings.masterName}" is no master (${flags.join(',')})`;
  const others = Number(state.get('num-other-sentinels') ?? 0);
  if (others < settings.minOtherSentinels) {
    return `sees ${others} other Sentinels, min_other_sentinels is ${settings.minOtherSentinels}`;
  }
  const host = state.get('ip');
  const port = Number(state.get('port'));
  if (!host || !Number.isInteger(port) || port < 1 || port > 65_535) return 'gave no address';
  return { host, port };
}

async function askSentinel(
  sentinel: RedisAddress,
  settings: SentinelSettings,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const failure: { error: Error | null } = { error: null };
  const client = createClient({
    username: settings.username,
    password: settings.password,
    db: 0,
    clientName: null,
    dial: (own): Promise<Socket> =>
      openSocket({ address: sentinel, socketPath: null, tls: settings.tls }, timeoutMs, AbortSignal.any([own, signal])),
    nextTry: () => null,
    onReplyError: () => 'none',
    onLoading: () => undefined,
    accepts: () => true,
  });
  client.on('error', (error: Error) => (failure.error = error));
  const timer = setTimeout(() => {
    failure.error = new BrokerConnectionError(`no answer within ${timeoutMs / 1000} s`);
    client.disconnect();
  }, timeoutMs);
  try {
    const reply: unknown = await client.call('SENTINEL', 'MASTER', settings.masterName);
    if (!Array.isArray(reply)) return new Map();
    const words = reply as readonly string[];
    return new Map(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])));
  } catch (error) {
    throw failure.error ?? error;
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}
