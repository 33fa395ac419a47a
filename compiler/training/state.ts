/** @file The state of a run on disk: parameters, moments and step, from which it continues bit for bit. */
import { existsSync } from 'node:fs';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { openSafetensors } from '../frontend/weights/safetensors.ts';
import type { SafetensorsFile } from '../frontend/weights/safetensors.ts';
import { writeSafetensors } from '../frontend/weights/writer.ts';
import { differences } from './differences.ts';
import type { Moments } from './optimizer.ts';

export interface RunState {
  /** Steps that are done. */
  readonly step: number;
  /** Flat, in the order of `parameterSpecs`. */
  readonly parameters: Float32Array;
  readonly moments: Moments;
}

/** Writes the state under a temporary name and then renames it, so that there is always a whole one. */
export function saveState(path: string, { step, parameters, moments }: RunState, settings: string): void {
  const tensor = (name: string, data: Float32Array): Parameters<typeof writeSafetensors>[1] => [
    { name, dtype: 'F32', shape: [data.length], data },
  ];
  const tensors = [
    ...tensor('parameters', parameters),
    ...tensor('first_moments', moments.first),
    ...tensor('second_moments', moments.second),
  ];
  writeSafetensors(path, tensors, { step: String(step), settings });
}

/**
 * @param settings must equal those with which the state was saved
 * @throws RadialError RC1102 (other settings), RC1105 (no state), RC01xx (a damaged file)
 */
export function loadState(path: string, settings: string): RunState {
  if (!existsSync(path)) {
    fail('RC1105', 'there is no run to resume', { place: { file: path }, help: 'start the run without --resume' });
  }
  const file = openSafetensors(path);
  try {
    const before = file.metadata.get('settings') ?? '';
    if (before !== settings) {
      fail('RC1102', `the run was begun with other settings: ${differences(before, settings)}`, {
        place: { file: path },
        help: 'repeat the first command with --resume added, or train into another folder',
      });
    }
    return {
      step: Number(file.metadata.get('step')),
      parameters: readTensor(file, 'parameters'),
      moments: { first: readTensor(file, 'first_moments'), second: readTensor(file, 'second_moments') },
    };
  } finally {
    file.close();
  }
}

/** @throws RadialError RC1104 when there is a state already, which a new run would overwrite */
export function requireNoState(path: string): void {
  if (!existsSync(path)) return;
  fail('RC1104', 'the folder already holds a run', {
    place: { file: path },
    help: 'add --resume to continue it, or choose another folder with -o',
  });
}

function readTensor(file: SafetensorsFile, name: string): Float32Array {
  const entry = file.tensors.get(name);
  if (entry === undefined) throw new Error(`internal: ${file.path} has no tensor ${name}`);
  const data = new Float32Array(entry.elements);
  file.readData(entry.begin, new Uint8Array(data.buffer));
  return data;
}
