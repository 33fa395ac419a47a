/** @file The diagnostics RC083x: writing an artifact. */
import type { CodeInfo, DiagnosticCode } from '../../ir/index.ts';

export const artifactCodes = {
  RC0830: {
    title: 'The output folder is in use',
    explanation:
      'The output folder has files in it that are not those of an artifact. Only an artifact is replaced; anything else is left alone.',
  },
  RC0831: {
    title: 'The artifact cannot be written',
    explanation:
      'The system refused to look at the output folder, or to create or rename a file: no permission, no space, or a path that cannot be.',
  },
  RC0832: {
    title: 'The runtime bundle is missing',
    explanation:
      'Every artifact carries the runtime as index.js, which `npm run build` (and `npm ci`) makes. The folder dist/runtime-bundle is not there.',
  },
  RC0833: {
    title: 'A tensor has another shape than the program expects',
    explanation: 'The program was made for other weights: the stored tensor of that name has another shape.',
  },
  RC0834: {
    title: 'The program carries no IR',
    explanation:
      'Programs compiled from a checkpoint carry network.rir and kernels.rir; one compiled from kernels has only the latter.',
  },
  RC0835: {
    title: 'The IR or the weights of the program are not as they were written',
    explanation:
      'network.rir, kernels.rir or a weight chunk has another hash than the manifest says. Compile the program again.',
  },
  RC0836: {
    title: 'The program is beyond what an artifact can describe',
    explanation:
      'A field of the manifest is out of the range that every runtime accepts, such as a name of more than 1,000 characters, more than 1,000 ids that end a text, or a hop cap above 65,536. Nothing was written.',
  },
  RC0837: {
    title: 'The replaced program could not be deleted',
    explanation:
      'The new program has taken the place of the old one and can be used. The system refused to delete files of the old one, as when a folder in it may not be written to; what is left of it is in the folder that the message names.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
