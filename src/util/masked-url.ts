/** Connection URLs as people and logs may see them. Counterpart: kombu/utils/url.py sanitize_url, 5.6.2. */

const MASK = '**';

/** What Celery hides in `celery report` and `inspect conf`, by the name of the setting (app/utils.py HIDDEN_SETTINGS). */
const SECRET_NAME = /(?:^|[._-])api|token|key|secret|pass|signature|credential/i;

/** Names that match, and whose values are no secrets: names of keys in Redis, routing keys, paths of key files. */
const NO_SECRET = /key_?prefix|routing_?key|unacked_|keyfile|keepalive|pass(?:es|ed|ing)/i;

/** The URL (or several, joined by `;`) with every password replaced by `**`; any other text comes back as it is. */
export function maskUrl(text: string): string {
  if (!text.includes('://')) return text;
  return text.split(';').map(maskOne).join(';');
}

function maskOne(url: string): string {
  const start = url.indexOf('://') + 3;
  if (start < 3) return url;
  const queryAt = url.indexOf('?', start);
  const query = queryAt < 0 ? '' : maskQuery(url.slice(queryAt));
  const main = queryAt < 0 ? url : url.slice(0, queryAt);
  // The last @ ends the user part, even where a password with a bare / or @ was not percent-encoded.
  const at = main.lastIndexOf('@');
  if (at < start) {
    // An unencoded ? in the password moves the @ behind it: hide all of it rather than show half a password.
    const late = url.lastIndexOf('@');
    return late > start ? `${url.slice(0, start)}${MASK}${url.slice(late)}` : main + query;
  }
  const colon = main.indexOf(':', start);
  if (colon < 0 || colon > at) return main + query;
  return `${main.slice(0, colon + 1)}${MASK}${main.slice(at)}${query}`;
}

function maskQuery(query: string): string {
  return query.replace(/([?&](?:[^=&]*(?:password|secret|token)[^=&]*)=)[^&]*/gi, `$1${MASK}`);
}

/** Whether a setting or option of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !NO_SECRET.test(name);
}

/** A copy of any settings value that may be shown: URLs masked, and whatever stands under a secret's name hidden. */
export function maskSecrets(value: unknown, name = '', depth = 0): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (isSecretName(name)) return '********';
  if (typeof value === 'string') return maskUrl(value);
  if (typeof value !== 'object') return value;
  if (depth > 20) return '...';
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, '', depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskSecrets(item, key, depth + 1)]));
}
