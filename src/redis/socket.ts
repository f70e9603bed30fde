/** Opens one socket: TCP, TLS or Unix socket, with a time limit and an abort that leave nothing behind. */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BrokerConnectionError } from '../errors.ts';
import { tlsOptions, type TlsSettings } from './tls.ts';
import { type RedisAddress } from './url.ts';

export interface Endpoint {
  readonly address: RedisAddress;
  readonly socketPath: string | null;
  readonly tls: TlsSettings | null;
}

/**
 * A socket ready for the first byte (TLS done). Rejects with what the operating system or OpenSSL said, with
 * BrokerConnectionError when `timeoutMs` passed, or with the signal's reason.
 */
export async function openSocket(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const { host, port } = endpoint.address;
  const tls = endpoint.tls ? await tlsOptions(endpoint.tls) : null;
  signal.throwIfAborted();
  const socket = tls
    ? connectTls({ ...tls, host, port, ...(isIP(host) ? {} : { servername: host }) })
    : endpoint.socketPath === null
      ? connectTcp({ host, port })
      : connectTcp({ path: endpoint.socketPath });

  return new Promise<Socket>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off(tls ? 'secureConnect' : 'connect', succeed);
      socket.off('close', closed);
    };
    const fail = (error: Error): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const succeed = (): void => {
      settle();
      resolve(socket);
    };
    const closed = (): void =>
      fail(new BrokerConnectionError('the server closed the connection while it was being opened'));
    const abort = (): void =>
      fail(signal.reason instanceof Error ? signal.reason : new BrokerConnectionError('connecting was given up'));
    const timer = setTimeout(() => {
      const seconds = timeoutMs / 1000;
      fail(
        new BrokerConnectionError(
          tls && !socket.connecting
            ? `no TLS handshake within ${seconds} s: the server probably does not speak TLS at this port (then use redis://)`
            : `no connection within ${seconds} s (is the host reachable, is a firewall between?)`,
        ),
      );
    }, timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    // Stays for the socket's life: an error between here and the client's own listener must not end the process.
    socket.on('error', fail);
    socket.once('close', closed);
    socket.once(tls ? 'secureConnect' : 'connect', succeed);
  });
}
