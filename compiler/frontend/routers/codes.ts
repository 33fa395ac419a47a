/** @file The diagnostics RC027x: routers that a checkpoint brings along. */
import type { CodeInfo, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';

export const routerCodes = {
  RC0270: {
    title: 'Routers without their other half',
    explanation:
      'A model with learned routers has two files more than others: radial-config.json, which says what they are, and router.safetensors with their weights. One of the two is missing.',
  },
  RC0271: {
    title: 'radial-config.json of another format',
    explanation:
      '"format" must be "radial-config" and "version" one that this compiler knows. Newer files need a newer compiler.',
  },
  RC0272: {
    title: 'radial-config.json does not fit the model',
    explanation:
      'It was made for another model: it speaks of blocks that this one does not have, or of another number of them, or of a hub in a model for images.',
  },
  RC0273: {
    title: 'Wrong tensors in router.safetensors',
    explanation:
      'The file must hold exactly the tensors of the routers in radial-config.json, in their shapes, as F32, F16 or BF16.',
  },
  RC0274: {
    title: 'No routers to compile',
    explanation:
      '`--route learned` and `radialc sweep` compile the routers of a checkpoint that `radialc train` has given some. This one ' +
      'has none.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
