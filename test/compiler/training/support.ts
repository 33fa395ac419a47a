/** @file A model small enough to train within a test, and folders that vanish. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainSettings } from '../../../compiler/training/index.ts';

/** Two layers of width 16 on text that repeats itself. */
export function tinySettings(change: Partial<TrainSettings> = {}): TrainSettings {
  return {
    shape: { layers: 2, hidden: 16, heads: 2, ffn: 24, vocab: 24, context: 20 },
    batch: 2,
    tokens: 16,
    seed: 7,
    optimizer: {
      kind: 'adamw',
      schedule: 'cosine',
      learningRate: 0.01,
      warmup: 4,
      steps: 24,
      weightDecay: 0.05,
      clip: 1,
    },
    layerDrop: 0,
    workers: 1,
    ...change,
  };
}

/** 4 … 23 again and again, with a leap now and then. */
export function tinyText(): Uint16Array {
  return Uint16Array.from({ length: 600 }, (_, i) => 4 + ((i + Math.floor(i / 50)) % 20));
}

/** Runs with an empty folder, and removes it. */
export async function withEmptyFolder(run: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-test-'));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
