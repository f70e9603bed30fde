/** Reads tables of recorded Python behaviour, one JSON object a line: the golden recordings and test/fixtures/python. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const testFolder = join(import.meta.dirname, '..');

function readLines<T>(...path: string[]): T[] {
  const text = readFileSync(join(testFolder, ...path), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** A file of test/golden/recordings. */
export const readGolden = <T>(name: string): T[] => readLines<T>('golden', 'recordings', name);

/** A file of test/fixtures/python, made by make.py there. */
export const readTable = <T>(name: string): T[] => readLines<T>('fixtures', 'python', name);
