/*
 * The stand-in's process. Usage: node stand-in-server.mjs PORT
 */
import { subscribe } from 'node:diagnostics_channel';
import { createRedisMock } from 'js-redis-server';

// It leaves Nagle's algorithm on, which holds a reply of several writes back for 40 ms.
subscribe('net.server.socket', (message) => {
  /** @type {{ socket: import('node:net').Socket }} */ (message).socket.setNoDelay(true);
});

await createRedisMock({ port: Number(process.argv[2]) });
