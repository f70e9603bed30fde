/*
 * The environment for Celery programs that the scripts start: without the settings of the person's own Celery, which
 * would send the demonstration to their broker.
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export const withoutCelerySettings = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('CELERY_')));
