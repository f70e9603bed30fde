/*
 * CELERIAC_BOOTSTRAP_SKIP: a comma-separated list of ways the bootstrap shall pretend not to have, so that each way
 * can be tried on a machine where an earlier one works.
 * Redis: url, path, cache, wheel, deb, apt, docker, stand-in. Pip: pip-bundled, pip-module, pip-apt, pip-index.
 * Python: python (none at all), venv, system-celery.
 */

/** @param {string} way */
export const isSkipped = (way) =>
  (process.env.CELERIAC_BOOTSTRAP_SKIP ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .includes(way);

export const SKIPPED = 'skipped by CELERIAC_BOOTSTRAP_SKIP';
