/*
 * A Redis conversation of a few lines, for the questions asked before any package is installed: does it answer, which
 * version is it, which databases are empty. RESP2 only, replies in the order of the commands.
 */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readRedisUrl } from './redis-address.mjs';

/** @typedef {string | number | null | Error | unknown[]} Reply */

/**
 * One reply read from `bytes` at `at`, and where the next one starts; undefined while it is incomplete.
 * @param {Buffer} bytes
 * @param {number} at
 * @returns {{ reply: Reply, next: number } | undefined}
 */
export function readReply(bytes, at = 0) {
  const end = bytes.indexOf('\r\n', at);
  if (end === -1) return undefined;
  const type = String.fromCharCode(bytes[at] ?? 0);
  const line = bytes.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (type) {
    case '+':
      return { reply: line, next };
    case '-':
      return { reply: new Error(line), next };
    case ':':
      return { reply: Number(line), next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { reply: null, next };
      if (bytes.length < next + length + 2) return undefined;
      return { reply: bytes.toString('utf8', next, next + length), next: next + length + 2 };
    }
    case '*': {
      /** @type {Reply[]} */
      const items = [];
      let position = next;
      for (let left = Number(line); left > 0; left -= 1) {
        const item = readReply(bytes, position);
        if (!item) return undefined;
        items.push(item.reply);
        position = item.next;
      }
      return { reply: Number(line) < 0 ? null : items, next: position };
    }
    default:
      throw new Error(`no Redis answers there: its first byte is ${JSON.stringify(type)}`);
  }
}

/** @param {readonly string[]} words */
const encode = (words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/**
 * Sends commands over one connection of their own (after AUTH and SELECT as the URL says) and gives their replies.
 * An error reply to one of `commands` is a value, so that a refused question doesn't spoil the others.
 * @param {string} url
 * @param {ReadonlyArray<readonly string[]>} commands
 * @param {{ limitMs?: number }} [options]
 * @returns {Promise<Reply[]>}
 * @throws {Error} when nobody answers in time, or AUTH or SELECT is refused
 */
export function askRedis(url, commands, { limitMs = 5_000 } = {}) {
  const address = readRedisUrl(url);
  /** @type {string[][]} */
  const opening = [];
  if (address.password !== undefined) {
    opening.push(['AUTH', ...(address.username === undefined ? [] : [address.username]), address.password]);
  }
  if (address.database !== 0) opening.push(['SELECT', String(address.database)]);
  const all = [...opening, ...commands];

  return new Promise((resolve, reject) => {
    const target = address.path === undefined ? { host: address.host, port: address.port } : { path: address.path };
    const socket = address.tls
      ? connectTls({ ...target, rejectUnauthorized: address.rejectUnauthorized, servername: address.host })
      : connectTcp(target);
    /** @type {Reply[]} */
    const replies = [];
    /** @type {Buffer} */
    let bytes = Buffer.alloc(0);
    const limit = setTimeout(() => fail(new Error(`no answer within ${limitMs} ms`)), limitMs);
    /** @param {Error} error */
    const fail = (error) => {
      clearTimeout(limit);
      socket.destroy();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed before the answer')));
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      try {
        for (let found; replies.length < all.length && (found = readReply(bytes)); bytes = bytes.subarray(found.next)) {
          if (found.reply instanceof Error && replies.length < opening.length) return fail(found.reply);
          replies.push(found.reply);
        }
      } catch (error) {
        return fail(/** @type {Error} */ (error));
      }
      if (replies.length === all.length) {
        clearTimeout(limit);
        resolve(replies.slice(opening.length));
        socket.destroy();
      }
    });
    socket.write(all.map(encode).join(''));
  });
}
