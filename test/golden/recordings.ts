/** Reads recordings of real Celery 5.6.3 (recordings/*.jsonl): one JSON object a line, as the capture scripts wrote it. */
import { readFileSync } from 'node:fs';

export type Recorded = Record<string, unknown>;

export interface Step {
  cmd: string;
  args?: string[];
  key?: string;
  channel?: string;
  envelope_without_body?: Recorded;
  body_decoded?: unknown;
}

export interface Scenario {
  scenario: string;
  variant?: string;
  worker_conf: Recorded;
  steps: Step[];
}

export interface EnvelopeCase {
  case: string;
  conf: Recorded;
  keys: { key: string; type: string; entries?: { raw: string; body_decoded: unknown }[] }[];
}

export function readRecording<T = Recorded>(name: string): T[] {
  const text = readFileSync(new URL(`recordings/${name}.jsonl`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
