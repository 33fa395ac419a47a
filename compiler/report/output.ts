/** @file Where a report goes: it replaces an older report, and nothing else. */
import { existsSync, lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { openNamed } from '../frontend/files.ts';
import { checkOutput, STUDY_FORMAT } from '../routing/index.ts';
import { REPORT_START } from './page.ts';

/** To be called before any work is done. @throws RadialError RC1208, RC1212 */
export function checkReport(out: string, inputs: readonly string[]): void {
  const isInput = inputs.some((path) => resolve(path) === resolve(out));
  if (isInput || !isReport(out)) checkOutput(out, { format: STUDY_FORMAT, inputs });
}

function isReport(path: string): boolean {
  if (!existsSync(path) || !lstatSync(path).isFile()) return false;
  const file = openNamed(path);
  try {
    const start = new Uint8Array(Math.min(file.size, REPORT_START.length));
    file.read(0, start);
    return new TextDecoder().decode(start) === REPORT_START;
  } finally {
    file.close();
  }
}
