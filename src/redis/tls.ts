/**
 * TLS as Celery names it: the `ssl_*` keys of `broker_use_ssl`, `redis_backend_use_ssl` and of a rediss:// URL.
 * Counterpart: redis-py's SSLConnection. Differs from Celery: where ssl_cert_reqs is missing the certificate is always
 * checked, also for the result backend, which Celery refuses to start.
 */

import { readFile } from 'node:fs/promises';
import { type ConnectionOptions, type SecureVersion } from 'node:tls';
import { ConfigError } from '../errors.ts';
import { nearestName } from '../util/nearest.ts';

export interface TlsSettings {
  /** Whether the server must show a certificate that a known authority signed. */
  readonly verify: boolean;
  readonly checkHostname: boolean;
  readonly caFile: string | null;
  readonly caData: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly keyPassword: string | null;
  readonly ciphers: string | null;
  readonly minVersion: SecureVersion | null;
}

export const SSL_KEYS = [
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'ssl_ca_data',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_password',
  'ssl_check_hostname',
  'ssl_ciphers',
  'ssl_min_version',
] as const;

type SslKey = (typeof SSL_KEYS)[number];

/** What ssl_cert_reqs may be: its names in URLs, and the numbers Python's ssl constants have in a JSON settings file. */
const CERT_REQS: Readonly<Record<string, 'none' | 'optional' | 'required'>> = {
  cert_none: 'none',
  none: 'none',
  '0': 'none',
  cert_optional: 'optional',
  optional: 'optional',
  '1': 'optional',
  cert_required: 'required',
  required: 'required',
  '2': 'required',
};

const MIN_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  'tlsv1.2': 'TLSv1.2',
  tlsv1_2: 'TLSv1.2',
  'tlsv1.3': 'TLSv1.3',
  tlsv1_3: 'TLSv1.3',
};

/**
 * Reads a dict of `ssl_*` keys (`ssl: true` beside them is ignored). `source` names the setting in errors.
 * @throws ConfigError for an unknown key or value.
 */
export function parseTls(options: Readonly<Record<string, unknown>>, source: string, warnings: string[]): TlsSettings {
  for (const key of Object.keys(options)) {
    if (key === 'ssl' || (SSL_KEYS as readonly string[]).includes(key)) continue;
    const nearest = nearestName(key, SSL_KEYS);
    throw new ConfigError(
      `${source}: unknown TLS option "${key}"${nearest ? `, did you mean "${nearest}"?` : ` (known: ${SSL_KEYS.join(', ')})`}`,
    );
  }
  const text = (key: SslKey): string | null => {
    const value = options[key];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value !== 'string') throw new ConfigError(`${source}: ${key} must be a string, not ${typeof value}`);
    return value;
  };

  const given = options.ssl_cert_reqs ?? 'required';
  const requirement = CERT_REQS[asText(given)];
  if (!requirement) {
    throw new ConfigError(
      `${source}: ssl_cert_reqs must be CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE (or required, optional, none)`,
    );
  }
  if (requirement === 'none') {
    warnings.push(
      `${source}: ssl_cert_reqs=CERT_NONE: the server's identity is not checked, anyone between can read and change everything.`,
    );
  }

  const minimum = text('ssl_min_version');
  const minVersion = minimum === null ? null : (MIN_VERSIONS[minimum.toLowerCase()] ?? null);
  if (minimum !== null && minVersion === null) {
    throw new ConfigError(`${source}: ssl_min_version must be TLSv1.2 or TLSv1.3, not "${minimum}"`);
  }
  const hostname = options.ssl_check_hostname ?? true;

  return {
    // To a client, Python's CERT_OPTIONAL is CERT_REQUIRED: the server always shows a certificate.
    verify: requirement !== 'none',
    checkHostname: requirement !== 'none' && asText(hostname) !== 'false',
    caFile: text('ssl_ca_certs'),
    caData: text('ssl_ca_data'),
    certFile: text('ssl_certfile'),
    keyFile: text('ssl_keyfile'),
    keyPassword: text('ssl_password'),
    ciphers: text('ssl_ciphers'),
    minVersion,
  };
}

/**
 * What tls.connect takes. The files are read anew for each connection, so that renewed certificates are picked up.
 * @throws ConfigError when a file cannot be read.
 */
export async function tlsOptions(tls: TlsSettings): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([
    tls.caFile === null ? tls.caData : readPem(tls.caFile, 'ssl_ca_certs'),
    tls.certFile === null ? null : readPem(tls.certFile, 'ssl_certfile'),
    tls.keyFile === null ? null : readPem(tls.keyFile, 'ssl_keyfile'),
  ]);
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.checkHostname ? {} : { checkServerIdentity: () => undefined }),
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(tls.keyPassword === null ? {} : { passphrase: tls.keyPassword }),
    ...(tls.ciphers === null ? {} : { ciphers: tls.ciphers }),
    ...(tls.minVersion === null ? {} : { minVersion: tls.minVersion }),
  };
}

/** A word, number or boolean of a settings file in lower case; '' for anything else. */
function asText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value).toLowerCase()
    : '';
}

async function readPem(path: string, option: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError(`cannot read ${option} "${path}"`, { cause: error });
  }
}
