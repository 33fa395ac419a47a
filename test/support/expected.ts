/** @file Reads the reference outputs beside the project; their format is in the data's own README. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const rows = z.array(z.array(z.number()));

const sequence = z.object({
  input_ids: z.array(z.number()),
  // Selected positions with the full vocabulary, or all positions.
  logits: z.union([rows, z.object({ positions: z.array(z.number()), values: rows })]),
});
const image = z.object({ pixel_values: z.array(rows), logits: z.array(z.number()) });
const run = z.object({
  prompt_ids: z.array(z.number()),
  greedy_ids: z.array(z.number()),
  text: z.string(),
  prompt: z.string(),
  last_prompt_logits: z.object({
    top16_ids: z.array(z.number()),
    top16_values: z.array(z.number()),
    l2_norm: z.number(),
  }),
});
const expectedSchema = z.object({
  nll_text: z.object({ input_ids: z.array(z.number()), nll_per_token: z.array(z.number()) }).optional(),
  sequences: z.array(sequence).optional(),
  images: z.array(image).optional(),
  runs: z.array(run).optional(),
});

export interface ExpectedSequence {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly logits: readonly (readonly number[])[];
}

export type Expected = z.infer<typeof expectedSchema>;

export function readExpected(folder: string): Expected {
  return expectedSchema.parse(JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')));
}

export function expectedSequences({ sequences = [] }: Expected): readonly ExpectedSequence[] {
  return sequences.map(({ input_ids: ids, logits }) => ({
    ids,
    positions: Array.isArray(logits) ? ids.map((_, position) => position) : logits.positions,
    logits: Array.isArray(logits) ? logits : logits.values,
  }));
}

const blockNorms = z.array(
  z.object({ index: z.number(), ratio_f_x: z.array(z.number()), ratio_f_sum: z.array(z.number()) }),
);
const normsSchema = z.object({
  sequences: z.array(z.object({ input_ids: z.array(z.number()), blocks: blockNorms })).optional(),
  images: z.array(z.object({ pixel_values: z.array(rows), blocks: blockNorms })).optional(),
  blocks_of_run_1: z.object({ input_ids: z.array(z.number()), blocks: blockNorms }).optional(),
});

export interface InputWithNorms {
  readonly input: readonly number[] | { readonly pixelValues: readonly (readonly (readonly number[])[])[] };
  /** Residual ratios of each block, token by token. */
  readonly blocks: z.infer<typeof blockNorms>;
}

export function readBlockNorms(folder: string): readonly InputWithNorms[] {
  const found = normsSchema.parse(JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')));
  const texts = [...(found.sequences ?? []), ...(found.blocks_of_run_1 === undefined ? [] : [found.blocks_of_run_1])];
  return [
    ...texts.map(({ input_ids: input, blocks }) => ({ input, blocks })),
    ...(found.images ?? []).map(({ pixel_values: pixelValues, blocks }) => ({ input: { pixelValues }, blocks })),
  ];
}

const maskedSchema = z.object({
  input_ids: z.array(z.number()),
  cases: z.array(
    z.object({
      mask_seed: z.number(),
      mask: rows,
      logits: z.record(z.enum(['absent', 'project', 'latest']), rows),
    }),
  ),
});

export type Masked = z.infer<typeof maskedSchema>;

export function readMasked(file: string): Masked {
  return maskedSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}
