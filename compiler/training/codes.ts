/** @file The diagnostics of training: RC11xx. */
import type { CodeInfo, DiagnosticCode } from '../../ir/diagnostics/diagnostic.ts';

export const trainingCodes = {
  RC1101: {
    title: 'the text is too short to train on',
    explanation:
      'Training cuts the text into windows of the length of one sequence and needs at least three batches of them. ' +
      'Give more text, or use fewer sequences per batch or shorter ones.',
  },
  RC1102: {
    title: 'the interrupted run has other settings',
    explanation:
      'A run is continued with the settings that it began with (model, data, seed, steps, learning rate), so that the ' +
      'result is the same as without the interruption. Repeat the first command with --resume added, or train into ' +
      'another folder.',
  },
  RC1103: {
    title: 'training diverged',
    explanation:
      'The loss, its gradient or what would be saved is no longer a finite number, or is too large for the number format of the ' +
      'checkpoint. The last state that had none of this is kept, in the state and in the model. Train again with a lower learning ' +
      'rate or a longer warm-up.',
  },
  RC1104: {
    title: 'the folder already holds a run',
    explanation:
      'A new run would overwrite the state of an earlier one. Add --resume to continue it, or choose another folder.',
  },
  RC1105: {
    title: 'there is no run to resume',
    explanation: 'The folder has no state.safetensors. Start the run without --resume.',
  },
  RC1106: {
    title: 'the checkpoint has another architecture',
    explanation:
      'Training has a forward pass of its own, which knows one form of OPT: the norm before each block and after the last, ' +
      'with gains and shifts, ReLU, biases everywhere, embeddings as wide as the model, a tied head, and `</s>` (id 2) at both ends ' +
      'of a text. Any other would come out as another model. `radialc run` takes the others.',
  },
  RC1107: {
    title: 'the batch has no equal shares',
    explanation:
      'Each worker computes the gradient of as many sequences as the others, so that their mean is the gradient of the ' +
      'batch. Give a batch that is a multiple of the number of workers.',
  },
  RC1108: {
    title: 'the target depth is out of reach',
    explanation:
      'It is a share of the blocks, from 0 to 1. Blocks without a gate are executed by every token, so the mean depth cannot fall ' +
      'below their share of all blocks.',
  },
  RC1109: {
    title: 'options that do not go together',
    explanation:
      '`scratch` begins with random weights and a vocabulary of its own, or goes on with a model without routers; `distill` and ' +
      '`joint` begin with a checkpoint. ' +
      'Heads divide the width, and sequences are no longer than the context. `--weighting probability` needs gates and `joint`: ' +
      '`distill` leaves the model as it is. A hub sees what tokens left on their last visits, and begins with a walk that its ' +
      'inner layer has room for.',
  },
  RC1110: {
    title: 'a text that cannot be trained on',
    explanation: 'Texts are UTF-8 and hold something other than white space.',
  },
  RC1111: {
    title: 'a file of the run could not be written',
    explanation:
      'The operating system refused the file; the message says why. The last checkpoint is still there, and where the log alone ' +
      'could not be written, all steps are in it. Once the cause is removed, the same command with --resume goes on.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
