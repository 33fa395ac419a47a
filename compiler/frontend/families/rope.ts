/** @file The frequencies of rotary position embedding (Su et al. 2021) and how they are changed for long contexts. */
import type { LlamaConfig, RopeScaling } from '../config/types.ts';

/** Radians per position, one for each pair of columns of a head: `headDim / 2` numbers, in double precision. */
export function ropeFrequencies(config: Pick<LlamaConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>): readonly number[] {
  const { headDim, ropeTheta, ropeScaling } = config;
  return Array.from({ length: headDim / 2 }, (_, i) => scaled(ropeTheta ** ((-2 * i) / headDim), ropeScaling));
}

function scaled(frequency: number, scaling: RopeScaling): number {
  switch (scaling.kind) {
    case 'none':
      return frequency;
    case 'linear':
      return frequency / scaling.factor;
    case 'llama3': {
      // How often the pair turns within the context that the model was first trained on.
      const turns = (scaling.originalMaxPositions * frequency) / (2 * Math.PI);
      if (turns > scaling.highFreqFactor) return frequency;
      if (turns < scaling.lowFreqFactor) return frequency / scaling.factor;
      const kept = (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
      return (1 - kept) * (frequency / scaling.factor) + kept * frequency;
    }
  }
}
