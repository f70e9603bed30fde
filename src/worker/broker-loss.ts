/** What a worker says when it must end because of its broker connection. Celery: worker/consumer/consumer.py, 5.6.3. */
import type { Config } from '../config/config.ts';
import { BrokerConnectionError } from '../errors.ts';
import { sentences, type Logger } from '../log.ts';
import type { RedisOptions } from '../redis/options.ts';

/** The start failed. What the user is to mend he reads from the error itself, which the command prints. */
export function sayCannotStart(error: unknown, connection: RedisOptions, config: Config, logger: Logger): void {
  if (!(error instanceof BrokerConnectionError) || connection.retryOnConnect !== false) return;
  const isOwnSetting = config.brokerConnectionRetryOnStartup !== null;
  const setting = isOwnSetting ? 'broker_connection_retry_on_startup' : 'broker_connection_retry';
  logger.critical(sentences.retryDisabled('establish', setting));
}

/** A connection that was usable is not made again. */
export function sayGivenUp(error: Error, connection: RedisOptions, logger: Logger): void {
  logger.critical(
    connection.retryOnLoss === false
      ? sentences.retryDisabled('re-establish', 'broker_connection_retry')
      : sentences.unrecoverable(error.message),
  );
}
