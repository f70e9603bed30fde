/*
 * Pip's wheel straight from a package index, for a Python without pip on a machine without apt. Only an index that
 * the machine's owner has named is asked: PIP_INDEX_URL, or index-url in a pip configuration file.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LIMIT_MS = 60_000;

/**
 * index-url in the text of a pip configuration file; undefined when it has none.
 * @param {string} text
 */
export const indexUrlIn = (text) => /^\s*index[-_]url\s*[=:]\s*(\S+)/m.exec(text)?.[1];

/** @returns {string | undefined} */
function configuredIndex() {
  if (process.env.PIP_INDEX_URL) return process.env.PIP_INDEX_URL;
  const files = [
    process.env.PIP_CONFIG_FILE,
    join(process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'pip', 'pip.conf'),
    join(homedir(), '.pip', 'pip.conf'),
    '/etc/xdg/pip/pip.conf',
    '/etc/pip.conf',
  ];
  for (const file of files) {
    const url = file && existsSync(file) ? indexUrlIn(readFileSync(file, 'utf8')) : undefined;
    if (url) return url;
  }
  return undefined;
}

/**
 * The links to pip's wheels in a page of the "simple" API that this Python can use, in the page's order (oldest first).
 * @param {string} html
 * @param {string} pythonVersion "3.11.2"
 * @returns {Array<{ href: string, sha256: string | undefined, name: string }>}
 */
export function wheelLinks(html, pythonVersion) {
  const unescape = (/** @type {string} */ text) =>
    text.replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  const minor = Number(pythonVersion.split('.')[1]);
  return [...html.matchAll(/<a\s([^>]*)>/gi)].flatMap((match) => {
    const attributes = match[1] ?? '';
    const href = unescape(/href="([^"]*)"/i.exec(attributes)?.[1] ?? '');
    const name = decodeURIComponent(href.split('#')[0]?.split('/').at(-1) ?? '');
    const floor = /requires-python="[^"]*?(?:&gt;|>)=\s*3\.(\d+)/i.exec(attributes)?.[1];
    // Releases only: 26.0b1 and 26.0rc1 are not.
    if (!/^pip-[\d.]+-py3-none-any\.whl$/.test(name) || (floor !== undefined && Number(floor) > minor)) return [];
    return [{ href, sha256: /#sha256=([0-9a-f]{64})/.exec(href)?.[1], name }];
  });
}

/**
 * @param {import('./python-interpreter.mjs').Python} python
 * @param {string} folder where the wheel is put
 * @returns {Promise<string>} its path
 */
export async function downloadPipWheel(python, folder) {
  const index = configuredIndex();
  if (index === undefined) throw new Error('no package index is configured (PIP_INDEX_URL, pip.conf)');
  const page = new URL('pip/', index.endsWith('/') ? index : `${index}/`);
  // fetch refuses an URL with a password in it.
  const { username, password } = page;
  page.username = page.password = '';
  const headers =
    username === ''
      ? {}
      : { authorization: `Basic ${Buffer.from(decodeURIComponent(`${username}:${password}`)).toString('base64')}` };
  const get = async (/** @type {URL} */ url) => {
    const isSameHost = url.host === page.host;
    const response = await fetch(url, { headers: isSameHost ? headers : {}, signal: AbortSignal.timeout(LIMIT_MS) });
    if (!response.ok) throw new Error(`the package index answered ${response.status}`);
    return response;
  };
  const link = wheelLinks(await (await get(page)).text(), python.version).at(-1);
  if (!link) throw new Error('the package index lists no pip wheel for this Python');
  const bytes = Buffer.from(await (await get(new URL(link.href, page))).arrayBuffer());
  if (link.sha256 && createHash('sha256').update(bytes).digest('hex') !== link.sha256) {
    throw new Error(`the checksum of ${link.name} is wrong`);
  }
  const path = join(folder, link.name);
  writeFileSync(path, bytes);
  return path;
}
