/**
 * The application: its settings, its tasks, and the connections that sending and reading results open when first needed.
 * Counterpart: celery/app/base.py Celery, 5.6.3.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBackend } from '../backend/open.ts';
import type { Backend } from '../backend/backend.ts';
import { Bindings } from '../broker/bindings.ts';
import { Producer } from '../broker/producer.ts';
import { Queues } from '../broker/queues.ts';
import { brokerSettings, type BrokerSettings } from '../broker/settings.ts';
import { resolveConfig, type Config, type Settings } from '../config/config.ts';
import { loadSettings, type LoadOptions } from '../config/load.ts';
import { createLogger, type Logger } from '../log.ts';
import { ErrorRegistry, type ErrorClass } from '../protocol/exceptions.ts';
import { openRedis } from '../redis/connection.ts';
import type { RedisPort } from '../redis/port.ts';
import { annotated } from '../tasks/annotations.ts';
import type { TaskContext } from '../tasks/context.ts';
import { appMark, loadModule, loadModules } from '../tasks/loader.ts';
import { TaskRegistry } from '../tasks/registry.ts';
import { defineTask, type TaskDefinition } from '../tasks/task.ts';
import type { DefineTask } from '../tasks/typing.ts';
import { Releasers } from '../util/releasers.ts';
import { AsyncResult } from './result.ts';
import { Routes } from './routes.ts';
import { Sender, type SendOptions } from './send.ts';
import { runEagerly } from './eager.ts';
import { localRuntime } from './local-runtime.ts';
import { Task, type ClientTask, type TaskPorts } from './task.ts';

export class Celeriac {
  /** How `-A` recognises an app, also one of another copy of this package. */
  readonly [appMark] = true;
  /** The app's name, for people. */
  readonly name: string;
  readonly registry = new TaskRegistry();
  readonly errors = new ErrorRegistry();
  readonly #settings: Settings;
  #moduleSettings: Readonly<Record<string, unknown>> | undefined;
  readonly #releasers = new Releasers();
  #overrides: Partial<Parameters<typeof resolveConfig>[0]> = {};
  #config: Config | undefined;
  #queues: Queues | undefined;
  #routes: Routes | undefined;
  /** What `task_annotations` make of each task. */
  readonly #annotated = new Map<TaskDefinition, TaskDefinition>();
  #logger: Logger | undefined;
  #broker: { settings: BrokerSettings; redis: RedisPort; bindings: Bindings; producer: Producer } | undefined;
  #backend: Promise<Backend> | undefined;
  readonly #sender: Sender;
  readonly #modules: { readonly path: string; readonly from: string | undefined }[] = [];
  #loading: Promise<void> | undefined;
  readonly #localRuntime = localRuntime<Celeriac>(this);
  /** The same for all tasks of the app. */
  readonly #taskPorts: TaskPorts = {
    send: (definition, options) => this.#sendDefined(definition, options),
    config: () => this.config,
    runtime: this.#localRuntime,
    applyEagerly: (definition, options) =>
      runEagerly(this.#annotate(definition), options, {
        config: this.config,
        backend: () => this.backend(),
        runtime: this.#localRuntime,
      }),
  };

  /**
   * @param settings - Celery's setting names, lower case or camelCase. @throws ConfigError, at first use, for unknown ones.
   */
  constructor(name: string, settings: Settings = {}) {
    this.name = name;
    this.#settings = settings;
    this.#sender = new Sender({
      config: () => this.config,
      queues: () => this.queues,
      routes: () => (this.#routes ??= new Routes(this.config.taskRoutes)),
      producer: () => this.#connection().producer,
      bindings: () => this.#connection().bindings,
      logger: () => this.logger,
    });
  }

  /** The settings in force; resolved once, at first use. */
  get config(): Config {
    this.#config ??= resolveConfig({
      explicit: this.#settings,
      module: this.#moduleSettings,
      env: process.env,
      ...this.#overrides,
    });
    return this.#config;
  }

  /** The queues of the settings, and those made since. @throws ConfigError, at first use, when they are unsound. */
  get queues(): Queues {
    this.#queues ??= new Queues(this.config);
    return this.#queues;
  }

  get logger(): Logger {
    this.#logger ??= createLogger();
    return this.#logger;
  }

  /** Registers a task and returns it. See DefineTask for its forms. @throws ConfigError when it cannot be registered. */
  readonly task: DefineTask<TaskContext<Celeriac>, ClientTask> = (
    name: string,
    ...rest: [options: unknown, handler: unknown] | [handler: unknown]
  ): Task => {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]];
    const definition = defineTask(name, options, handler);
    this.registry.register(definition);
    return new Task(definition, this.#taskPorts);
  };

  /** Sends a task by name, whoever runs it; also under `task_always_eager`, since its code need not be here. */
  async sendTask<Result = unknown>(name: string, options: SendOptions = {}): Promise<AsyncResult<Result>> {
    if (this.config.taskAlwaysEager) {
      this.logger.warn(`task_always_eager has no effect on sendTask: ${name} goes to a worker`);
    }
    return this.#send<Result>(name, options);
  }

  async #send<Result>(name: string, options: SendOptions): Promise<AsyncResult<Result>> {
    return this.asyncResult<Result>(await this.#sender.send(name, options));
  }

  asyncResult<Result = unknown>(id: string): AsyncResult<Result> {
    return new AsyncResult<Result>(id, () => this.backend(), this.errors);
  }

  /** Remote failures stored under `path` (module and name, as Python has it) are thrown as this class. */
  errorClass(path: string, errorClass: ErrorClass): void {
    this.errors.register(path, errorClass);
  }

  /**
   * Takes settings from an object, or from a file or module: a path (JSON, YAML, JavaScript, and TypeScript where a loader
   * is installed), a package, a `file:` URL. What was given to the constructor holds. Only before their first use; a second
   * call replaces the first. Celery: config_from_object.
   *
   * @throws ConfigError when it cannot be read; at first use, when it has unknown settings.
   */
  configFromObject(source: object | string | URL, options: LoadOptions = {}): void {
    this.#moduleSettings = loadSettings(source, options);
    this.#forgetConfig();
  }

  /** Lets the command line or an embedding program override settings. Only before their first use. */
  configure(overrides: { readonly cli?: Settings; readonly env?: NodeJS.ProcessEnv; readonly logger?: Logger }): void {
    const { logger, ...rest } = overrides;
    if (logger !== undefined) this.#logger = logger;
    this.#overrides = { ...this.#overrides, ...rest };
    this.#forgetConfig();
  }

  #forgetConfig(): void {
    this.#config = undefined;
    this.#queues = undefined;
    this.#routes = undefined;
    this.#annotated.clear();
  }

  /**
   * Names modules, or folders of them, whose tasks a worker of this app is to have. They are loaded when it starts, or by
   * {@link loadTasks}. In a folder every module counts, those in its sub-folders too, but no tests, declarations, hidden
   * files, nor names that begin with `_`.
   *
   * @param options.from - `import.meta.url` of the caller, for paths relative to it. @defaultValue the working directory
   */
  autodiscoverTasks(paths: readonly string[], options: { readonly from?: string | URL } = {}): void {
    const { from } = options;
    for (const path of paths) this.#modules.push({ path, from: from === undefined ? undefined : folderOf(from) });
    this.#loading = undefined;
  }

  /**
   * Loads the modules of the settings `imports` and `include` and of {@link autodiscoverTasks}, once.
   *
   * @throws ConfigError for one that does not exist or fails to load.
   */
  loadTasks(): Promise<void> {
    this.#loading ??= this.#loadTasks();
    return this.#loading;
  }

  async #loadTasks(): Promise<void> {
    const modules = [...this.config.imports, ...this.config.include];
    for (const module of modules) await loadModule(module, process.cwd());
    for (const { path, from } of this.#modules) await loadModules(path, from ?? process.cwd());
  }

  /** The result backend, opened with the first call. */
  backend(): Promise<Backend> {
    this.#backend ??= openBackend(this.config, this.logger).then((backend) => {
      this.#releasers.add(() => backend.close());
      return backend;
    });
    return this.#backend;
  }

  /** What publishes for this app, also for the worker that runs it. */
  get sender(): Sender {
    return this.#sender;
  }

  /** Sends what is pending and closes every connection. Idempotent. */
  async close(): Promise<void> {
    await this.#broker?.producer.idle();
    this.#broker = undefined;
    this.#backend = undefined;
    await this.#releasers.release();
  }

  async #sendDefined(definition: TaskDefinition, options: SendOptions): Promise<AsyncResult> {
    const { queue, routingKey, priority, serializer, compression, timeLimit, softTimeLimit, ignoreResult, expires } =
      this.#annotate(definition).options;
    const own = {
      queue,
      routingKey,
      priority,
      serializer,
      compression,
      timeLimit,
      softTimeLimit,
      ignoreResult,
      expires,
    };
    return this.#send(definition.name, { ...definedOnly(own), ...options });
  }

  #annotate(definition: TaskDefinition): TaskDefinition {
    let found = this.#annotated.get(definition);
    if (found === undefined) {
      found = annotated(definition, this.config.taskAnnotations);
      this.#annotated.set(definition, found);
    }
    return found;
  }

  #connection(): { redis: RedisPort; bindings: Bindings; producer: Producer } {
    if (this.#broker === undefined) {
      const settings = brokerSettings(this.config, 'write');
      const redis = openRedis(settings.target, settings.connection);
      const { keys, fanout, prioritySteps, deadletterQueue } = settings;
      const bindings = new Bindings(redis, keys, this.queues.exchangeTypes);
      const producer = new Producer({ redis, keys, bindings, fanout, prioritySteps, deadletterQueue });
      this.#broker = { settings, redis, bindings, producer };
      this.#releasers.add(() => redis.close());
    }
    return this.#broker;
  }
}

function folderOf(from: string | URL): string {
  const text = String(from);
  return text.startsWith('file:') ? dirname(fileURLToPath(text)) : text;
}

function definedOnly<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
