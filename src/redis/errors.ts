/**
 * What went wrong between Redis and us, in words that say what to do. The one place that knows how sockets, TLS, ioredis
 * and Redis name their errors.
 */

import { isNativeError } from 'node:util/types';
import { CeleriacError, ConfigError, RedisReplyError } from '../errors.ts';

/**
 * A refusal explained. `final`: trying again cannot help before somebody changes a setting or the server; `ofServer`: the
 * server alone may be changed, while we wait.
 */
export interface Explanation {
  readonly message: string;
  readonly final: boolean;
  readonly ofServer?: true;
}

const CERTIFICATE_CODES = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
]);

/** Replies that mean "not this server, or not now": reconnecting finds the new master or waits until it is loaded. */
const STALE_SERVER = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'UNBLOCKED']);

/** What was thrown as an Error; Node's own may come from another realm, where instanceof does not know them. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error || isNativeError(thrown) ? thrown : new Error(String(thrown));
}

export function isReplyError(error: unknown): error is Error {
  return isNativeError(error) && error.name === 'ReplyError';
}

/** The first word of an error reply: `WRONGTYPE Operation against ...` is WRONGTYPE. */
export function replyWord(error: Error): string {
  const space = error.message.indexOf(' ');
  return space < 0 ? error.message : error.message.slice(0, space);
}

export function isStaleServer(error: Error): boolean {
  // Before Redis 7 a script's error is wrapped: "ERR Error running script ...: -READONLY You can't write ...".
  return isReplyError(error) && (STALE_SERVER.has(replyWord(error)) || error.message.includes('-READONLY '));
}

/** The error without the command that ioredis hangs on it: its arguments hold passwords and whole messages. */
export function withoutArguments(error: Error): Error {
  delete (error as { command?: unknown }).command;
  return error;
}

/** An error reply in our own class; its text as Redis gave it, with advice where Redis gives none. */
export function replyError(error: Error, context = ''): RedisReplyError {
  const word = replyWord(error);
  const text = withoutScript(error.message);
  const advice = explainReply(word, text)?.message;
  return new RedisReplyError(word, `${context}${advice ?? text}`, { cause: withoutArguments(error) });
}

/** Redis 7 adds which script met it, by digest and line: that says nothing to a reader, and makes one trouble many. */
function withoutScript(message: string): string {
  return message.replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.$/, '');
}

/** Why a try to connect failed. */
export function explain(error: Error | null): Explanation {
  if (error === null) {
    return {
      message:
        'the server closed the connection before it answered (if the port speaks TLS, use rediss://; else see its log)',
      final: false,
    };
  }
  // A broken setting found while connecting: an unreadable certificate file.
  if (error instanceof ConfigError) return { message: error.message, final: true };
  if (error instanceof CeleriacError) return { message: error.message, final: false };
  if (isReplyError(error)) {
    const text = withoutScript(error.message);
    return explainReply(replyWord(error), text) ?? { message: text, final: false };
  }
  return explainSocket(error);
}

function explainReply(word: string, message: string): Explanation | null {
  switch (word) {
    case 'NOAUTH':
      return {
        message: `the server asks for a password: put it into the URL, redis://[user]:password@host (${message})`,
        final: true,
        ofServer: true,
      };
    case 'WRONGPASS':
      return {
        message: `user name or password is wrong, or the user is disabled (${message})`,
        final: true,
        ofServer: true,
      };
    case 'NOPERM':
      return { message: `the Redis user lacks a permission (ACL): ${message}`, final: true, ofServer: true };
    case 'DENIED':
      return {
        message: 'the server is in protected mode: it has no password and takes local connections only (DENIED)',
        final: true,
        ofServer: true,
      };
    case 'READONLY':
      return {
        message: `the server is a read-only replica: connect to the master, or through Sentinel (${message})`,
        final: false,
      };
    case 'LOADING':
      return { message: `the server is still loading its data (${message})`, final: false };
    case 'OOM':
      return { message: `the server is out of memory (maxmemory) and takes no writes (${message})`, final: false };
    case 'MOVED':
    case 'CROSSSLOT':
      return { message: `the server is a Redis Cluster, which is not supported (${message})`, final: true };
    default:
  }
  if (/invalid password|AUTH .*called without/i.test(message)) {
    return { message: `the password does not fit the server (${message})`, final: true, ofServer: true };
  }
  if (/DB index is out of range|invalid DB index/i.test(message)) {
    return {
      message: `the server has no database of that number (its option "databases" sets how many): ${message}`,
      final: true,
    };
  }
  if (/SELECT is not allowed/i.test(message)) {
    return { message: 'the server is a Redis Cluster, which has database 0 only and is not supported', final: true };
  }
  if (/max number of clients/i.test(message)) {
    return { message: `the server has no room for another client (maxclients): ${message}`, final: false };
  }
  return null;
}

function explainSocket(error: Error & { code?: unknown; errors?: unknown }): Explanation {
  const code = typeof error.code === 'string' ? error.code : '';
  // Node tries every address of a name; what it throws then has no text of its own.
  const nested = Array.isArray(error.errors) ? (error.errors as unknown[]).find(isNativeError) : null;
  const text = error.message || nested?.message || code;
  if (CERTIFICATE_CODES.has(code)) {
    return {
      message: `the server's certificate is signed by nobody known here: name the authority in ssl_ca_certs (${code}: ${text})`,
      final: true,
    };
  }
  switch (code) {
    case 'ECONNREFUSED':
      return { message: `nothing listens there (${text})`, final: false };
    case 'ECONNRESET':
    case 'EPIPE':
      return {
        message: `the server reset the connection; if the port speaks TLS, use rediss:// (${text})`,
        final: false,
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { message: `the host name is not known (${text})`, final: false };
    case 'ENOENT':
      return { message: `there is no such socket (${text})`, final: false };
    case 'EACCES':
      return { message: `this user may not open the socket (${text})`, final: true };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return { message: `the server's certificate is not valid today (${text})`, final: true };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        message: `the server's certificate is for another host name; ssl_check_hostname=false accepts it (${text})`,
        final: true,
      };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return { message: 'the server does not speak TLS at this port: use redis://, or its TLS port', final: true };
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
      return {
        message: `the server wants a client certificate: give ssl_certfile and ssl_keyfile (${text})`,
        final: true,
      };
    default:
      return { message: text, final: false };
  }
}
