/**
 * The main thread's end of the lease thread: starts it, feeds it a beat of the event loop, passes on what it reports.
 *
 * The thread renews although the loop is blocked; so that it does not renew for a loop that is dead, it watches the beat,
 * and ends the process when the loop has been blocked for longer than the limit.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from '../log.ts';
import type { RedisOptions } from '../redis/options.ts';
import type { RedisTarget } from '../redis/url.ts';
import { siblingModule } from '../util/sibling-module.ts';

export interface LeaseConnection {
  readonly target: RedisTarget;
  readonly options: RedisOptions;
}

export interface LeaseKeys {
  readonly instance: string;
  readonly held: string;
  readonly member: string;
  readonly consumers: readonly string[];
}

/** What the thread is started with; structured-clone data. */
export interface LeaseThreadData {
  readonly connection: LeaseConnection;
  readonly keys: { readonly unackedIndex: string; readonly members: string };
  readonly lease: LeaseKeys;
  readonly leaseSeconds: number;
  readonly intervalSeconds: number;
  /** [0]: the beat, a counter; [1]: the block limit in seconds. */
  readonly beat: Int32Array;
  /** [0]: when the last lease that Redis confirmed was asked for, unix milliseconds. */
  readonly confirmed: BigInt64Array;
}

export type LeaseOrder = { readonly kind: 'update'; readonly lease: LeaseKeys } | { readonly kind: 'stop' };

export type LeaseReport =
  | { readonly kind: 'lost'; readonly instance: string; readonly fields: string[] }
  | { readonly kind: 'membership-lost'; readonly instance: string }
  | { readonly kind: 'renewed-late'; readonly instance: string }
  | { readonly kind: 'trouble'; readonly message: string }
  | { readonly kind: 'renewing' }
  | { readonly kind: 'stopped' };

export interface LeaseKeeperOptions {
  readonly connection: LeaseConnection;
  readonly logger: Logger;
  readonly keys: LeaseThreadData['keys'];
  readonly leaseSeconds: number;
  readonly intervalSeconds: number;
  readonly loopBlockLimitSeconds: number;
  readonly onLost: (fields: readonly string[]) => void;
  readonly onMembershipLost: () => void;
  /** The lease had run out by our clock, and stands again. */
  readonly onRenewedLate: () => void;
  /** Renewals begin to fail, or work again. */
  readonly onRenewal: (isFailing: boolean) => void;
}

const BEAT_MS = 500;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #beat = new Int32Array(new SharedArrayBuffer(8));
  readonly #confirmed = new BigInt64Array(new SharedArrayBuffer(8));
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lease: LeaseKeys | undefined;
  #stopping = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Whether by our clock the lease still runs. If not, others may be recovering us, or have buried us already. */
  get isLeaseSure(): boolean {
    return Date.now() < Number(Atomics.load(this.#confirmed, 0)) + this.#options.leaseSeconds * 1000;
  }

  /** Redis has confirmed a lease that was asked for at this time (unix milliseconds); 0: there is none. */
  confirm(askedAtMs: number): void {
    Atomics.store(this.#confirmed, 0, BigInt(askedAtMs));
  }

  start(lease: LeaseKeys): void {
    this.#lease = lease;
    Atomics.store(this.#beat, 1, Math.ceil(this.#options.loopBlockLimitSeconds));
    this.#timer = setInterval(() => Atomics.add(this.#beat, 0, 1), BEAT_MS);
    this.#timer.unref();
    this.#spawn(lease);
  }

  update(lease: LeaseKeys): void {
    this.#lease = lease;
    this.#order({ kind: 'update', lease });
  }

  /** A task type's hard limit may be raised while the worker runs. */
  setLoopBlockLimit(seconds: number): void {
    Atomics.store(this.#beat, 1, Math.ceil(seconds));
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#stopping = true;
    clearInterval(this.#timer);
    if (thread === undefined) return;
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    this.#order({ kind: 'stop' });
    const timer = setTimeout(() => void thread.terminate(), 2000);
    await exited;
    clearTimeout(timer);
  }

  #order(order: LeaseOrder): void {
    this.#thread?.postMessage(order);
  }

  #spawn(lease: LeaseKeys): void {
    const { connection, keys, leaseSeconds, intervalSeconds, logger } = this.#options;
    const shared = { beat: this.#beat, confirmed: this.#confirmed };
    const workerData: LeaseThreadData = { connection, keys, lease, leaseSeconds, intervalSeconds, ...shared };
    const thread = new Worker(siblingModule('./lease-thread', import.meta.url), { workerData, name: 'celeriac-lease' });
    this.#thread = thread;
    thread.unref();
    thread.on('message', (report: LeaseReport) => this.#hear(report));
    thread.on('error', (error) => logger.critical('The lease thread failed; starting another', { error }));
    thread.on('exit', () => {
      this.#thread = undefined;
      // Without renewals our messages would be recovered under us: try again until told to stop.
      if (!this.#stopping) setTimeout(() => this.#stopping || this.#spawn(this.#lease ?? lease), 500).unref();
    });
  }

  #hear(report: LeaseReport): void {
    // Reports about an instance we no longer are came too late to matter.
    if ('instance' in report && report.instance !== this.#lease?.instance) return;
    switch (report.kind) {
      case 'lost':
        this.#options.onLost(report.fields);
        break;
      case 'membership-lost':
        this.#options.onMembershipLost();
        break;
      case 'renewed-late':
        this.#options.onRenewedLate();
        break;
      case 'trouble':
        this.#options.logger.warn(`Lease renewal: ${report.message}`);
        this.#options.onRenewal(true);
        break;
      case 'renewing':
        this.#options.onRenewal(false);
        break;
      case 'stopped':
        break;
    }
  }
}
