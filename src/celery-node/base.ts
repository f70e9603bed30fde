/**
 * What client and worker share: `conf`, and the app that is made of it at first use. Counterpart: app/base.js of
 * celery-node 0.5.9.
 */
import { brokerSettings } from '../broker/settings.ts';
import { Celeriac } from '../client/app.ts';
import type { Settings } from '../config/config.ts';
import { createLogger, type LogLevel } from '../log.ts';
import { openRedis } from '../redis/connection.ts';
import { defaultConf, settingsOf, type CeleryConf } from './conf.ts';

export class Base {
  readonly conf: CeleryConf;
  readonly #settings: Settings;
  readonly #logLevel: LogLevel;
  #app: Celeriac | undefined;

  constructor(broker: string, backend: string, queue: string, settings: Settings, logLevel: LogLevel) {
    this.conf = defaultConf(broker, backend, queue);
    this.#settings = settings;
    this.#logLevel = logLevel;
  }

  /**
   * The app underneath, for everything celery-node had no word for: signals, control, canvas. Made of `conf` at first use.
   *
   * @throws ConfigError for a `conf` that cannot be used, such as an amqp:// URL.
   */
  get app(): Celeriac {
    if (this.#app !== undefined) return this.#app;
    const app = new Celeriac('celery-node', this.#settings);
    // As from the command line: what createClient was given holds, whatever CELERY_BROKER_URL says.
    app.configure({ cli: settingsOf(this.conf), logger: createLogger({ level: this.#logLevel }) });
    // The settings are checked now, not when the first message is on its way.
    brokerSettings(app.config, 'write');
    this.#app = app;
    return app;
  }

  /** Settles when broker and backend answer. */
  async isReady(): Promise<void> {
    const { target, connection } = brokerSettings(this.app.config, 'write');
    const redis = openRedis(target, connection);
    try {
      await Promise.all([redis.command('PING'), this.app.backend()]);
    } finally {
      await redis.close();
    }
  }

  /** Sends what is pending and closes the connections. Idempotent. */
  async disconnect(): Promise<void> {
    await this.#app?.close();
  }
}
