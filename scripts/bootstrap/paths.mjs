/*
 * Where things are: the checkout and its cache. Nothing the scripts install lands outside the two, except what an
 * explicit `--install-redis` or CI asks of apt.
 */
import { fileURLToPath } from 'node:url';
import { join, resolve } from 'node:path';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** CELERIAC_CACHE_DIR moves it, for a read-only checkout and for tests of the bootstrap itself. */
export const cacheDir = process.env.CELERIAC_CACHE_DIR ? resolve(process.env.CELERIAC_CACHE_DIR) : join(root, '.cache');

/** @param {...string} parts */
export const inRoot = (...parts) => join(root, ...parts);
/** @param {...string} parts */
export const inCache = (...parts) => join(cacheDir, ...parts);
