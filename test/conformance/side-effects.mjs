// Two Redis commands for tasks whose effects the suite counts: plain RESP over one socket, answers in order.
import { connect } from 'node:net';

export function redisAt(host, port) {
  let socket;
  const waiting = [];

  function open() {
    if (socket !== undefined) return socket;
    socket = connect({ host, port });
    let buffered = '';
    socket.on('data', (chunk) => {
      buffered += chunk;
      for (let end = buffered.indexOf('\r\n'); end !== -1; end = buffered.indexOf('\r\n')) {
        const reply = buffered.slice(0, end);
        buffered = buffered.slice(end + 2);
        const { resolve, reject } = waiting.shift();
        if (reply.startsWith('-')) reject(new Error(reply.slice(1)));
        else resolve(Number(reply.slice(1)));
      }
    });
    socket.on('error', (error) => {
      socket = undefined;
      for (const { reject } of waiting.splice(0)) reject(error);
    });
    socket.unref();
    return socket;
  }

  const send = (...words) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
      open().write(`*${words.length}\r\n${bulk}`);
    });

  return {
    rpush: (key, value) => send('RPUSH', String(key), String(value ?? '')),
    incr: (key) => send('INCR', String(key)),
  };
}
