/** Folders the bench uses, whatever the current directory. */
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url));
export const workers = fileURLToPath(new URL('workers/', import.meta.url));
