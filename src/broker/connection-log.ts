/**
 * What a worker says of its broker connection, in Celery's sentences: one line when it is lost, one for each reason why it
 * cannot be made again, one when it holds. Counterpart: celery/worker/consumer/consumer.py, 5.6.3, which repeats itself
 * with every try; here those are debug lines.
 */
import { sentences, type Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';

/** A connection may be made and refused at once, again and again (a read-only replica): what lasts so long, holds. */
const HOLDS_AFTER_MS = 2500;

export function logConnection(
  redis: Pick<RedisPort, 'on' | 'displayUrl'>,
  logger: Logger,
  maxRetries: number | null,
): void {
  const { displayUrl } = redis;
  /** Why the present outage lasts; null: there is none. */
  let reason: string | null = null;
  let since = 0;
  let wasConnected = false;
  /** The first try follows at once, and says no more than the loss. */
  let isJustLost = false;
  let holds: NodeJS.Timeout | undefined;

  const isNews = (error: Error | null): boolean => {
    const next = error?.message ?? 'the server closed the connection';
    const isNew = next !== reason;
    if (reason === null) since = performance.now();
    reason = next;
    return isNew;
  };

  redis.on('lost', (error) => {
    clearTimeout(holds);
    isJustLost = true;
    if (isNews(error)) logger.warn(`${sentences.connectionLost()} The reason: ${reason}`);
  });
  redis.on('retrying', (delayMs, attempt, error) => {
    if (isJustLost) {
      isJustLost = false;
      return;
    }
    const isNew = isNews(error);
    const next = sentences.tryingAgain(delayMs / 1000, attempt, maxRetries);
    const line = sentences.cannotConnect(displayUrl, String(reason), next).trimEnd();
    if (isNew) logger.error(line);
    else logger.debug(line);
  });
  redis.on('ready', () => {
    isJustLost = false;
    if (!wasConnected) logger.info(sentences.connected(displayUrl));
    wasConnected = true;
    if (reason === null) return;
    clearTimeout(holds);
    holds = setTimeout(() => {
      const seconds = ((performance.now() - since - HOLDS_AFTER_MS) / 1000).toFixed(1);
      logger.info(`${sentences.connected(displayUrl)} again, after ${seconds} s`);
      reason = null;
    }, HOLDS_AFTER_MS);
    holds.unref();
  });
}
