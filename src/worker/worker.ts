/**
 * The worker: an ordered list of parts, started forwards and stopped backwards. Counterpart: celery/worker/worker.py
 * WorkController and its consumer's bootsteps, 5.6.3.
 *
 *   new -start()-> running -stop('warm')-> finishing -all has ended-----> stopped
 *                          -stop('soft')-> finishing -all ended, or time-> stopped    worker_soft_shutdown_timeout
 *                          -stop('cold')------------------------------> stopped
 *                                          finishing -stop('cold')----> stopped       and after stop('soft'), its time
 *
 * Whatever waits for a slot or its rate is put back at once. What still runs when it ends cold is told so by its signal, its
 * outcome is ignored, and where it acknowledges late its message is put back.
 */
import type { Backend } from '../backend/backend.ts';
import { openBackend } from '../backend/open.ts';
import { Channel } from '../broker/channel.ts';
import type { Delivery } from '../broker/delivery.ts';
import type { QueueDeclaration } from '../broker/queue.ts';
import { sendReply } from '../broker/replies.ts';
import { addBinding, bindingMember } from '../broker/bindings.ts';
import { brokerSettings, type BrokerSettings } from '../broker/settings.ts';
import type { Celeriac } from '../client/app.ts';
import { assertStorable } from '../client/local-runtime.ts';
import type { Config } from '../config/config.ts';
import { IllegalStateError, type NotRegisteredError, TaskRevokedError, WorkerShutdownError } from '../errors.ts';
import { HIDDEN, sentences, type Logger } from '../log.ts';
import { toWireException } from '../protocol/exceptions.ts';
import { acceptSet } from '../protocol/serializers.ts';
import type { TaskHeaders } from '../protocol/task-message.ts';
import { untiring } from '../redis/options.ts';
import { openSubscriber } from '../redis/subscriber.ts';
import type { TaskRuntime } from '../tasks/context.ts';
import { Background } from '../util/background.ts';
import { systemClock } from '../util/clock.ts';
import { deferred } from '../util/deferred.ts';
import { Releasers } from '../util/releasers.ts';
import { sleep } from '../util/sleep.ts';
import { hasSucceededBefore } from './dedup.ts';
import { AwayWatch } from './away-watch.ts';
import { sayCannotStart, sayGivenUp } from './broker-loss.ts';
import { Dispatcher } from './dispatcher.ts';
import {
  announceInternalError,
  announceLife,
  announceReceived,
  announceSetup,
  announceShuttingDown,
  announceUnknown,
} from './announce.ts';
import { controlCommands } from './panel.ts';
import { Pidbox } from './pidbox.ts';
import { AsyncPool } from './pool/async.ts';
import type { Pool } from './pool/pool.ts';
import { RateLimits } from './rate-limits.ts';
import { Receiver, type TaskIdentity } from './receiver.ts';
import type { Request } from './request.ts';
import { sendRetry } from './retry.ts';
import { Settlement } from './settle.ts';
import { WorkerState } from './state.ts';
import { createStrategy, type Strategy } from './strategy.ts';
import { compileTaskType } from './task-type.ts';

export interface WorkerOptions {
  /** Full node name, `celery@host`. */
  readonly nodename: string;
  readonly pool: 'async' | 'solo';
  readonly concurrency: number;
  readonly queues: readonly QueueDeclaration[];
  readonly prefetchMultiplier: number;
}

/** Warm waits for what runs, soft for so long as `worker_soft_shutdown_timeout` says, cold not at all. */
/** A stop waits no longer than this for a Redis that is away, tasks apart: their results are waited for. */
const AWAY_PATIENCE_MS = 5000;

export type StopMode = 'warm' | 'soft' | 'cold';

export class Worker {
  readonly nodename: string;
  readonly state = new WorkerState();
  /** What remote control changes at run time. */
  readonly rateLimits: RateLimits;
  readonly #app: Celeriac;
  readonly #options: WorkerOptions;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #broker: BrokerSettings;
  readonly #background: Background;
  readonly #releasers = new Releasers();
  readonly #channel: Channel;
  readonly #pool: Pool;
  readonly #dispatcher: Dispatcher;
  readonly #strategies = new Map<string, Strategy>();
  #backend: Backend | undefined;
  #settlement: Settlement | undefined;
  #receiver: Receiver | undefined;
  #pidbox: Pidbox | undefined;
  #stopping: Promise<void> | undefined;
  readonly #failure = deferred<Error>();
  /** Resolved when a stop is no longer to wait: it is cold, or the time of a soft one is over. */
  readonly #hurry = deferred<unknown>();

  constructor(app: Celeriac, options: WorkerOptions) {
    this.#app = app;
    this.#options = options;
    this.#config = app.config;
    this.#logger = app.logger;
    this.nodename = options.nodename;
    this.#broker = brokerSettings(this.#config, 'read');
    this.#background = new Background((what, error) => {
      this.#logger.critical(`Unexpected failure of ${what}`, { error });
    });
    this.#pool = new AsyncPool({
      name: options.pool,
      concurrency: options.pool === 'solo' ? 1 : options.concurrency,
      runtime: this.#runtime(),
      logger: this.#logger,
    });
    this.rateLimits = new RateLimits({
      clock: systemClock,
      isDisabled: this.#config.workerDisableRateLimits,
      reserve: (request) => this.#dispatcher.reserve(request),
    });
    this.#channel = this.#createChannel();
    const { prefetchMultiplier } = options;
    this.#dispatcher = new Dispatcher({
      state: this.state,
      pool: this.#pool,
      prefetchCount: prefetchMultiplier === 0 ? Infinity : prefetchMultiplier * this.#pool.concurrency,
      limited: () => this.rateLimits.size,
      accept: (request) => this.#accept(request),
      settle: (request, outcome) => (this.#settlement as Settlement).settle(request, outcome),
      failed: (request, error) => {
        this.#logger.critical(`Task ${request.name}[${request.id}] INTERNAL ERROR`, { error });
        announceInternalError(request, error, this.#logger);
      },
      done: (request) => this.#done(request),
      changed: () => this.#channel.changed(),
    });
  }

  /** Settles when a worker that runs can't go on: the connection to the broker was given up. The process should end. */
  get failure(): Promise<Error> {
    return this.#failure.promise;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Settles when the worker consumes. Rejects, everything undone, when it can't. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.#channel.destroy();
      await this.#releasers.release();
      throw error;
    }
  }

  /**
   * Idempotent: a second call waits for the first, a harder one cuts the waiting of the first short.
   *
   * @param sig - the process signal that asked for it, for receivers of workerShuttingDown.
   */
  stop(mode: StopMode = 'warm', sig: NodeJS.Signals | null = null): Promise<void> {
    if (mode === 'cold') this.#hurry.resolve(undefined);
    if (mode === 'soft')
      void sleep(this.#config.workerSoftShutdownTimeout * 1000).then(() => this.#hurry.resolve(undefined));
    this.#stopping ??= this.#stop(mode, sig);
    return this.#stopping;
  }

  async #start(): Promise<void> {
    await this.#app.loadTasks();
    const { accept, maxBodyBytes } = this.#limits();
    await announceLife('workerInit', this, this.#logger);
    const backend = await openBackend(this.#config, this.#logger, { keepForEver: true });
    this.#backend = backend;
    this.#releasers.add(() => backend.close());
    const settlement = new Settlement({
      backend,
      logger: this.#logger,
      hostname: this.nodename,
      hidesArguments: this.#config.celeriacHideArguments,
      successful: this.state.successful,
      finish: (request, ending) => this.#pool.finish(request, ending),
      sendRetry: (request, outcome) => sendRetry(this.#app.sender, this.#config, request, outcome),
    });
    this.#settlement = settlement;
    this.#receiver = new Receiver({
      logger: this.#logger,
      background: this.#background,
      accept,
      maxBodyBytes,
      hidesArguments: this.#config.celeriacHideArguments,
      strategyOf: (name) => this.#strategies.get(name),
      refuseUnknown: (delivery, task, error) => this.#refuseUnknown(delivery, task, error),
      quarantine: (delivery, reason) => this.#quarantine(delivery, reason),
    });
    this.#compileStrategies(settlement, this.#receiver);
    await this.#pool.start();
    await announceSetup(this, this.#config, this.#logger);
    await this.#startChannel();
    if (this.#config.workerEnableRemoteControl) await this.#startPidbox(accept, maxBodyBytes);
    await announceLife('workerReady', this, this.#logger);
  }

  async #stop(mode: StopMode, sig: NodeJS.Signals | null): Promise<void> {
    await announceShuttingDown(this, mode === 'warm' ? 'warm' : 'cold', sig, this.#logger);
    const away = new AwayWatch(() => this.#channel.redis.isReady, AWAY_PATIENCE_MS);
    await away.unless(this.#pidbox?.stop());
    await away.unless(this.#channel.stopTaking());
    const finished = this.#dispatcher.stop().then(() => this.#background.idle());
    await away.unless(this.#putBackWaiting());
    if (mode !== 'cold') await Promise.race([finished, this.#hurry.promise]);
    await away.unless(this.#endRunning());
    // What was still being read when the rest was put back.
    await away.unless(this.#putBackWaiting());
    await this.#pool.stop();
    await away.unless(this.#channel.leave());
    if (away.end()) {
      this.#logger.warn('Redis is away: what this worker held is recovered by others, or by the next one that starts');
      this.#channel.destroy();
    }
    await announceLife('workerShutdown', this, this.#logger);
    await this.#releasers.release();
    await this.#app.close();
  }

  async #startChannel(): Promise<void> {
    for (const warning of this.#broker.target.warnings) this.#logger.warn(warning);
    try {
      await this.#channel.start();
    } catch (error) {
      if (!this.isStopping) sayCannotStart(error, this.#broker.connection, this.#config, this.#logger);
      throw error;
    }
  }

  async #putBackWaiting(): Promise<void> {
    const waiting = [...this.rateLimits.stop(), ...this.state.reserved.splice(0)];
    if (waiting.length > 0) await this.#putBack(waiting);
  }

  /** After a warm stop nothing runs any more. */
  async #endRunning(): Promise<void> {
    this.#dispatcher.abandon();
    const running = [...this.state.active.values()];
    for (const request of running) this.#pool.abort(request, new WorkerShutdownError());
    const late = running.filter(({ isAcknowledged, delivery }) => !isAcknowledged && !delivery.isSettled);
    if (late.length > 0) await this.#putBack(late);
  }

  async #putBack(requests: readonly Request[]): Promise<void> {
    const restored = await this.#channel.putBack(requests.map((request) => request.delivery));
    if (restored > 0) this.#logger.info(sentences.restoring(restored));
  }

  #compileStrategies(settlement: Settlement, receiver: Receiver): void {
    for (const definition of this.#app.registry) {
      const type = compileTaskType(definition, this.#config);
      const limit = this.rateLimits.of(definition.name, type.rateLimit);
      const strategy = createStrategy(type, {
        hostname: this.nodename,
        timezone: this.#timezone(),
        isRevoked: (id) => this.state.revoked.has(id),
        readBody: (envelope) => receiver.readBody(envelope),
        received: (headers) => this.#logReceived(headers),
        reserve: (request) => limit.admit(request),
        revoke: (delivery, headers, taskType, reason) => settlement.revoke(delivery, headers, taskType, reason),
        park: (delivery, etaSeconds) => this.#park(delivery, etaSeconds),
      });
      this.#strategies.set(definition.name, strategy);
    }
  }

  /** Whether what got a slot may start. With early acknowledgement that is when Redis has confirmed it. */
  #accept(request: Request): boolean | Promise<boolean> {
    // Between receipt and now the task may have been revoked, or its time may have passed.
    const isRevoked = this.state.revoked.has(request.id);
    if (isRevoked || request.isExpired(Date.now())) return this.#discard(request, isRevoked ? 'revoked' : 'expired');
    request.startedAt = Date.now() / 1000;
    this.state.active.set(request.id, request);
    this.state.accepted(request.name);
    if (request.type.deduplicates && request.deliveryInfo.redelivered) return this.#acceptAgain(request);
    if (request.type.trackStarted) this.#storeStarted(request);
    if (request.type.acksLate) return true;
    request.isAcknowledged = true;
    // False: the lease was lost. Whoever is not sure to be the only holder does not start.
    return request.delivery.ack();
  }

  /** A redelivered task of a type that must not run twice: it acknowledges late. */
  async #acceptAgain(request: Request): Promise<boolean> {
    const { successful } = this.state;
    const hasSucceeded = await hasSucceededBefore(request, {
      backend: this.#backend as Backend,
      successful,
      logger: this.#logger,
    });
    if (hasSucceeded) {
      request.isAcknowledged = true;
      await request.delivery.ack();
      return false;
    }
    if (request.type.trackStarted) this.#storeStarted(request);
    return true;
  }

  async #discard(request: Request, reason: 'revoked' | 'expired'): Promise<false> {
    await this.#settlement?.revoke(request.delivery, request.headers, request.type, reason);
    return false;
  }

  #storeStarted(request: Request): void {
    const settlement = this.#settlement as Settlement;
    this.#background.run('storing STARTED', settlement.storeStarted(request));
  }

  #done(request: Request): void {
    if (this.state.active.get(request.id) === request) this.state.active.delete(request.id);
  }

  async #park(delivery: Delivery, etaSeconds: number): Promise<void> {
    await delivery.park(etaSeconds);
    this.#channel.noteParked(etaSeconds);
  }

  async #quarantine(delivery: Delivery, reason: string): Promise<void> {
    await delivery.quarantine(reason);
  }

  async #refuseUnknown(delivery: Delivery, task: TaskIdentity, error: NotRegisteredError): Promise<void> {
    const body = this.#config.celeriacHideArguments ? HIDDEN : delivery.raw;
    this.#logger.error(sentences.unknownTask(task.task, body), { task_id: task.id, task_name: task.task });
    await this.#backend?.store({
      taskId: task.id,
      groupId: task.group,
      parentId: task.parentId,
      state: 'FAILURE',
      result: toWireException(error),
      traceback: null,
      children: [],
    });
    await this.#quarantine(delivery, error.message);
    announceUnknown(delivery, task, error, this.#logger);
  }

  #logReceived(headers: TaskHeaders): void {
    announceReceived(headers, this.#logger);
    if (!this.#logger.isEnabled('info')) return;
    this.#logger.info(sentences.taskReceived(headers.shadow ?? headers.task, headers.id), {
      task_id: headers.id,
      task_name: headers.task,
    });
  }

  async #startPidbox(accept: ReadonlySet<string>, maxBodyBytes: number): Promise<void> {
    const { keys, target, connection, fanout } = this.#broker;
    const exchange = `${this.#config.controlExchange}.pidbox`;
    const queue = `${this.nodename}.${exchange}`;
    const { redis } = this.#channel;
    const member = bindingMember(keys, { routingKey: '', pattern: '', queue });
    const pidbox = new Pidbox({
      nodename: this.nodename,
      subscriber: openSubscriber(target, untiring(connection)),
      channel: fanout.channel(exchange),
      accept,
      maxBodyBytes,
      logger: this.#logger,
      background: this.#background,
      commands: controlCommands({
        state: this.state,
        pool: this.#pool,
        logger: this.#logger,
        storeRevoked: (id) => this.#storeRevoked(id),
      }),
      reply: (replyExchange, routingKey, envelope) => sendReply(redis, keys, replyExchange, routingKey, envelope),
      declare: () => addBinding(redis, keys.binding(exchange), member),
      remove: () => redis.command('SREM', keys.binding(exchange), member),
    });
    await pidbox.start();
    this.#pidbox = pidbox;
  }

  /** Celery 5.6 writes REVOKED as soon as it hears of a revoke, whatever it knows of the task. */
  async #storeRevoked(id: string): Promise<void> {
    await this.#backend?.store({
      taskId: id,
      groupId: null,
      parentId: null,
      state: 'REVOKED',
      result: toWireException(new TaskRevokedError('revoked')),
      traceback: null,
      children: null,
    });
  }

  #limits(): { accept: ReadonlySet<string>; maxBodyBytes: number } {
    return { accept: acceptSet(this.#config.acceptContent), maxBodyBytes: this.#config.celeriacMaxMessageBytes };
  }

  /** Celery: app.timezone, which is the system's own zone where neither `timezone` nor `enable_utc` is set. */
  #timezone(): string {
    const { timezone, enableUtc } = this.#config;
    return timezone ?? (enableUtc ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone);
  }

  #runtime(): TaskRuntime<Celeriac> {
    return {
      app: this.#app,
      loggerWith: (fields) => this.#logger.child(fields),
      updateState: async (request, taskId, state, meta) => {
        await this.#openBackend().store({
          taskId,
          groupId: request.group,
          parentId: request.parentId,
          state,
          result: meta,
          traceback: null,
          children: request.children ?? [],
        });
      },
      values: () => this.#openBackend().values,
      assertStorable: (request, value) => assertStorable(this.#app, request, value),
      sendEvent: () => Promise.resolve(),
    };
  }

  #openBackend(): Backend {
    if (this.#backend === undefined) throw new IllegalStateError('the worker is not started');
    return this.#backend;
  }

  #createChannel(): Channel {
    const { queues } = this.#options;
    const config = this.#config;
    const hard = config.taskTimeLimit;
    return new Channel({
      ...this.#broker,
      logger: this.#logger,
      nodename: this.nodename,
      queues,
      exchangeTypes: this.#app.queues.exchangeTypes,
      leaseSeconds: config.celeriacLeaseSeconds,
      recoveryIntervalSeconds: config.celeriacRecoveryInterval,
      loopBlockLimitSeconds:
        config.celeriacLoopBlockLimit ?? (hard === null ? this.#broker.visibilityTimeoutSeconds : hard + 30),
      maxMessageBytes: config.celeriacMaxMessageBytes,
      quarantineMaxLength: config.celeriacQuarantineMaxLength,
      demand: () => this.#dispatcher.demand(),
      deliver: (deliveries) => this.#receiver?.receive(deliveries),
      onGaveUp: (error) => {
        sayGivenUp(error, this.#broker.connection, this.#logger);
        this.#failure.resolve(error);
      },
    });
  }
}
