/** Opens a socket to a server; behind Sentinel the master's address is asked for each time. */

import { type Socket } from 'node:net';
import { discoverMaster } from './sentinel.ts';
import { openSocket } from './socket.ts';
import { type RedisServer } from './url.ts';

export async function dial(server: RedisServer, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const address = server.sentinel ? await discoverMaster(server.sentinel, timeoutMs, signal) : server.address;
  return openSocket({ address, socketPath: server.socketPath, tls: server.tls }, timeoutMs, signal);
}
