/** @file OUT/log.jsonl: a line for each step and for each checkpoint. */
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { onDisk, writeText } from './output.ts';

export interface RunLog {
  /** Never throws: a run must be able to save what it has done. */
  readonly add: (entry: object) => void;
  /** Aborted by the first line that could not be written, with the diagnostic as its reason; no other is tried. */
  readonly failed: AbortSignal;
}

/**
 * Goes on with the log of a run that has done `steps`; lines of later steps, which are done once more, are cut off.
 * @throws RadialError RC1111
 */
export function openLog(path: string, steps: number): RunLog {
  cut(path, steps);
  const failure = new AbortController();
  return {
    add: (entry) => {
      if (failure.signal.aborted) return;
      try {
        onDisk(path, () => {
          appendFileSync(path, `${JSON.stringify(entry)}\n`);
        });
      } catch (error) {
        failure.abort(error);
      }
    },
    failed: failure.signal,
  };
}

function cut(path: string, steps: number): void {
  const stats = onDisk(path, () => statSync(path, { throwIfNoEntry: false }));
  // What is no file has nothing to cut: a device, a pipe.
  if (stats?.isFile() !== true) return;
  const text = onDisk(path, () => readFileSync(path, 'utf8'));
  const kept = text.split('\n').filter((line) => stepOf(line) <= steps);
  const cutText = kept.map((line) => `${line}\n`).join('');
  if (cutText !== text) writeText(path, cutText);
}

/** Of a line that is whole; otherwise infinite. */
function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { readonly step?: unknown };
    return typeof step === 'number' ? step : Infinity;
  } catch {
    return Infinity;
  }
}
