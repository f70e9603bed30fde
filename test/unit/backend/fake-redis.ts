/** A Redis that fails on demand: the store script's contract in memory, and errors thrown in the order they are queued. */
import type { RedisArgument, RedisCommand, RedisEvents, RedisPort, Script } from '../../../src/redis/port.ts';

export class FakeRedis implements RedisPort {
  readonly displayUrl = 'fake:6379/0';
  isReady = true;
  readonly values = new Map<string, Buffer>();
  /** The keys of each call, in order. */
  readonly calls: string[][] = [];
  readonly published: string[] = [];
  /** Taken one a call: an Error is thrown, a function may answer for single records (by index). */
  readonly faults: (Error | ((key: string, index: number) => [string, string] | null))[] = [];
  /** While set, a call waits for it. */
  gate: Promise<void> | null = null;
  readonly #listeners = new Map<string, Set<(...args: unknown[]) => void>>();

  async runBuffers(_script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    this.calls.push([...keys]);
    if (this.gate !== null) await this.gate;
    const fault = this.faults.shift();
    if (fault instanceof Error) throw fault;
    return keys.map((key, i) => {
      const planned = fault?.(key, i);
      if (planned) return planned.map((text) => Buffer.from(text));
      if (this.values.get(key)?.includes('"SUCCESS"')) return 0;
      const value = args[2 * i + 1] as Buffer;
      this.values.set(key, value);
      this.published.push(value.toString());
      return 1;
    });
  }

  emit(event: keyof RedisEvents): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(null);
  }
  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener as (...args: unknown[]) => void));
  }
  off<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#listeners.get(event)?.delete(listener as (...args: unknown[]) => void);
  }
  listenerCount(event: keyof RedisEvents): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  async connect(): Promise<void> {}
  async command(..._command: RedisCommand): Promise<unknown> {
    throw new Error('not used here');
  }
  async commandBuffers(..._command: RedisCommand): Promise<unknown> {
    throw new Error('not used here');
  }
  async run(): Promise<unknown> {
    throw new Error('not used here');
  }
  async pipeline(): Promise<unknown[]> {
    throw new Error('not used here');
  }
  async transaction(): Promise<unknown[]> {
    throw new Error('not used here');
  }
  async close(): Promise<void> {}
  destroy(): void {}
}
