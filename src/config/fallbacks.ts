/** Where Redis is when neither Celery's variables nor the app say: REDIS_URL, REDIS_BACKEND_URL, REDIS_HOST ..., localhost. */

type Env = Readonly<Record<string, string | undefined>>;

const LOCALHOST = 'redis://localhost:6379/0';

export function fallbackBroker(env: Env): string {
  return env.REDIS_URL || redisFromParts(env) || LOCALHOST;
}

/**
 * The result backend in default of any. `broker` is null when somebody chose the broker: then only REDIS_BACKEND_URL
 * turns results on, as in Celery, whose default is none. Where nothing was chosen at all, results go where the broker is.
 */
export function fallbackBackend(env: Env, broker: string | null): string | null {
  if (env.REDIS_BACKEND_URL) return env.REDIS_BACKEND_URL;
  if (broker === null) return null;
  return redisFromParts(env) ?? broker;
}

function redisFromParts(env: Env): string | null {
  const { REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_USERNAME, REDIS_PASSWORD } = env;
  if (!REDIS_HOST && !REDIS_PORT) return null;
  const user = REDIS_USERNAME ? encodeURIComponent(REDIS_USERNAME) : '';
  const credentials = REDIS_PASSWORD ? `${user}:${encodeURIComponent(REDIS_PASSWORD)}@` : user ? `${user}@` : '';
  const host = REDIS_HOST || 'localhost';
  return `redis://${credentials}${host.includes(':') ? `[${host}]` : host}:${REDIS_PORT || 6379}/${REDIS_DB || 0}`;
}
