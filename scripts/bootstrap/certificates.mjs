/*
 * A file of trusted certificates for pip. Debian's Python trusts those of the package ca-certificates, which a bare
 * machine lacks; Node carries its own set and hands it over.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { inCache } from './paths.mjs';

const SYSTEM_FILES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** @returns {string | undefined} undefined when pip finds certificates without us */
export function certificateFile() {
  if (process.env.PIP_CERT || process.env.SSL_CERT_FILE || process.env.REQUESTS_CA_BUNDLE) return undefined;
  if (SYSTEM_FILES.some((path) => existsSync(path))) return undefined;
  mkdirSync(inCache(), { recursive: true });
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const own = extra && existsSync(extra) ? [readFileSync(extra, 'utf8')] : [];
  const path = inCache('certificates.pem');
  writeFileSync(path, [...rootCertificates, ...own].join('\n'));
  return path;
}
