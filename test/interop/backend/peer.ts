/** Python's Celery as the other member of a result backend; see peer.py. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class Peer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors = '';

  private constructor(python: string, url: string, serializer: string) {
    const script = fileURLToPath(new URL('peer.py', import.meta.url));
    this.#child = spawn(python, [script, url, serializer]);
    this.#child.stderr.on('data', (text: Buffer) => (this.#errors += text.toString()));
    this.#reader = createInterface(this.#child.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  static async start(python: string, url: string, serializer: string): Promise<Peer> {
    const peer = new Peer(python, url, serializer);
    if ((await peer.#line()) !== 'ready') throw new Error(`the Python peer did not start: ${peer.#errors}`);
    return peer;
  }

  /** One request at a time. */
  async ask<T>(verb: string, request: Readonly<Record<string, unknown>>): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify([verb, request])}\n`);
    const reply = JSON.parse(await this.#line()) as { ok?: T; error?: string };
    if (reply.error !== undefined) throw new Error(`Python: ${reply.error}`);
    return reply.ok as T;
  }

  async stop(): Promise<void> {
    this.#reader.close();
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    this.#child.kill();
    await exited;
  }

  async #line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error(`the Python peer ended: ${this.#errors}`);
    return next.value;
  }
}
