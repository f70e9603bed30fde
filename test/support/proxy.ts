/**
 * A TCP proxy before Redis that stops a connection at a chosen command: before it reaches Redis, or when Redis has carried
 * it out and the reply is on its way. The test then lets it go on, or cuts the connection: the two ways in which a
 * command can be lost, and for whoever is killed meanwhile the two instants at which he can die around it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Script } from '../../src/redis/port.ts';

export type Instant = 'command' | 'reply';
/** `reply` is there at that instant only, as RESP has it. */
export type Matcher = (command: readonly string[], reply?: Buffer) => boolean;
type FindTrap = (instant: Instant, command: readonly string[], reply?: Buffer) => Trap | undefined;

/** A command held at an instant; its connection stands still until one of the two is called. */
export interface Held {
  readonly command: readonly string[];
  pass(): void;
  /** Ends the connection; what was held is lost. */
  cut(): void;
}

interface Trap {
  readonly instant: Instant;
  readonly matches: Matcher;
  readonly spring: (held: Held) => void;
}

export class Proxy {
  readonly #server: Server;
  readonly #target: URL;
  readonly #links = new Set<Link>();
  readonly #traps: Trap[] = [];
  #isRefusing = false;

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.#target = target;
  }

  static async start(url: string): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server, new URL(url));
    server.on('connection', (client) => proxy.#connected(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** The database that `start` was given, through this proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Settles when the next command that matches is held; replies that are errors (NOSCRIPT) are not what is meant. */
  hold(instant: Instant, matches: Matcher): Promise<Held> {
    return new Promise((spring) => this.#traps.push({ instant, matches, spring }));
  }

  /** Lets the next matching command, or its reply, get lost with its connection. */
  async lose(instant: Instant, matches: Matcher): Promise<void> {
    (await this.hold(instant, matches)).cut();
  }

  /** From now on nobody gets through, or everybody again. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
    if (isRefusing) this.cutAll();
  }

  /** Forgets the traps nobody fell into. */
  disarm(): void {
    this.#traps.length = 0;
  }

  cutAll(): void {
    for (const link of this.#links) link.cut();
  }

  async close(): Promise<void> {
    this.cutAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connected(client: Socket): void {
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const redis = connect(Number(this.#target.port), this.#target.hostname);
    const link = new Link(client, redis, this.#findTrap);
    this.#links.add(link);
    client.on('close', () => this.#links.delete(link));
  }

  readonly #findTrap: FindTrap = (instant, command, reply) => {
    const index = this.#traps.findIndex((trap) => trap.instant === instant && trap.matches(command, reply));
    return index === -1 ? undefined : this.#traps.splice(index, 1)[0];
  };
}

/** One client's connection. Commands and replies are matched by their order; not so once it subscribes. */
class Link {
  readonly #client: Socket;
  readonly #redis: Socket;
  readonly #findTrap: FindTrap;
  readonly #unanswered: (readonly string[])[] = [];
  #commands = Buffer.alloc(0);
  #replies = Buffer.alloc(0);
  #isHeld = false;
  #isSubscriber = false;

  constructor(client: Socket, redis: Socket, findTrap: FindTrap) {
    this.#client = client;
    this.#redis = redis;
    this.#findTrap = findTrap;
    client.on('data', (chunk: Buffer) => {
      this.#commands = Buffer.concat([this.#commands, chunk]);
      this.#forward();
    });
    redis.on('data', (chunk: Buffer) => {
      this.#replies = Buffer.concat([this.#replies, chunk]);
      this.#forward();
    });
    for (const socket of [client, redis]) {
      socket.on('error', () => this.cut());
      socket.on('close', () => this.cut());
    }
  }

  cut(): void {
    this.#client.destroy();
    this.#redis.destroy();
  }

  #forward(): void {
    while (!this.#isHeld && (this.#forwardReply() || this.#forwardCommand()));
  }

  #forwardCommand(): boolean {
    const end = frameEnd(this.#commands, 0);
    if (end === -1) return false;
    const frame = this.#commands.subarray(0, end);
    const command = wordsOf(frame);
    this.#commands = this.#commands.subarray(end);
    this.#isSubscriber ||= /^P?SUBSCRIBE$/i.test(command[0] ?? '');
    const send = (): void => {
      this.#unanswered.push(command);
      this.#redis.write(frame);
    };
    this.#holdOr(this.#findTrap('command', command), command, send);
    return true;
  }

  #forwardReply(): boolean {
    const end = frameEnd(this.#replies, 0);
    if (end === -1) return false;
    const frame = this.#replies.subarray(0, end);
    this.#replies = this.#replies.subarray(end);
    const send = (): void => void this.#client.write(frame);
    const command = this.#isSubscriber ? undefined : this.#unanswered.shift();
    if (command === undefined || frame[0] === 0x2d) send();
    else this.#holdOr(this.#findTrap('reply', command, frame), command, send);
    return true;
  }

  #holdOr(trap: Trap | undefined, command: readonly string[], go: () => void): void {
    if (trap === undefined) {
      go();
      return;
    }
    this.#isHeld = true;
    const pass = (): void => {
      this.#isHeld = false;
      go();
      this.#forward();
    };
    trap.spring({ command, pass, cut: () => this.cut() });
  }
}

/** Matches calls of a script, by its digest. */
export function calls(script: Script): Matcher {
  const digest = createHash('sha1').update(script.lua).digest('hex');
  return ([name, first]) => name?.toUpperCase() === 'EVALSHA' && first === digest;
}

/** Matches a blocking pop that waits on `list`; at its reply only one that moved something. */
export function popsFrom(list: string): Matcher {
  return (command, reply) =>
    named('BLMOVE')(command) && command[1] === list && (reply === undefined || !reply.includes('-1\r\n'));
}

/** Matches commands by name. */
export function named(name: string): Matcher {
  return (command) => command[0]?.toUpperCase() === name;
}

/** Where the RESP value at `at` ends; -1 when it is not complete yet. Commands are RESP values too. */
function frameEnd(buffer: Buffer, at: number): number {
  const lineEnd = buffer.indexOf('\r\n', at);
  if (lineEnd === -1) return -1;
  const after = lineEnd + 2;
  const type = String.fromCharCode(buffer[at] as number);
  if (type !== '$' && type !== '*') return after;
  const size = Number(buffer.toString('latin1', at + 1, lineEnd));
  if (type === '$') {
    if (size < 0) return after;
    return after + size + 2 <= buffer.length ? after + size + 2 : -1;
  }
  let end = after;
  for (let i = 0; i < size && end !== -1; i += 1) end = frameEnd(buffer, end);
  return end;
}

/** The words of a complete command frame. */
function wordsOf(frame: Buffer): string[] {
  const words: string[] = [];
  for (let at = frame.indexOf('\r\n') + 2; at < frame.length;) {
    const start = frame.indexOf('\r\n', at) + 2;
    const size = Number(frame.toString('latin1', at + 1, start - 2));
    words.push(frame.toString('utf8', start, start + size));
    at = start + size + 2;
  }
  return words;
}
