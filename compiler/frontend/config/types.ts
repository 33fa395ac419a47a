/**
 * @file What a `config.json` says, normalised: one record per family, Hugging Face's defaults filled in.
 *
 * Sizes are positive integers, epsilons finite and not negative, and `heads` divides what it splits; a reader of these
 * types need not check again. Whether the tensors agree with them is checked by the families.
 */
import type { Activation } from '../../../ir/index.ts';

export type Family = 'opt' | 'gpt2' | 'llama' | 'vit';

interface TransformerConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the MLP's hidden layer. */
  readonly ffn: number;
  /** As the op table names them: `gelu` is the erf form, `gelu_tanh` GPT-2's. */
  readonly activation: Activation;
}

interface CausalLmConfig extends TransformerConfig {
  /** Rows of the embedding table; the largest token id is `vocab - 1`. */
  readonly vocab: number;
  /** Positions 0 … maxPositions - 1 exist. */
  readonly maxPositions: number;
  /** The head is the embedding table; the checkpoint then has no `lm_head.weight`. */
  readonly tieWordEmbeddings: boolean;
  /** Null when there is none or it is outside the vocabulary. */
  readonly bosTokenId: number | null;
  /** Ids that end a text; those outside the vocabulary are left out. */
  readonly eosTokenIds: readonly number[];
}

export interface OptConfig extends CausalLmConfig {
  readonly family: 'opt';
  /** Norm before the branch; false in the 350M form, which normalises the sum. */
  readonly preNorm: boolean;
  /** Width of the embedding table; `project_in` and `project_out` exist when it is not `hiddenSize`. */
  readonly wordEmbedProjDim: number;
  readonly enableBias: boolean;
  readonly layerNormElementwiseAffine: boolean;
  /** There is no norm after the last layer (there is none in post-norm models either). */
  readonly removeFinalLayerNorm: boolean;
  /** Always 1e-5: OPT's config has no field for it. */
  readonly eps: number;
}

export interface Gpt2Config extends CausalLmConfig {
  readonly family: 'gpt2';
  readonly eps: number;
  /** Scores are divided by √head_dim. */
  readonly scaleAttention: boolean;
  /** Scores of layer l are also divided by l + 1. */
  readonly scaleAttentionByLayer: boolean;
}

/** How rotary frequencies are changed for long contexts. */
export type RopeScaling =
  | { readonly kind: 'none' }
  /** Positions are divided by `factor`. */
  | { readonly kind: 'linear'; readonly factor: number }
  /** Llama 3.1: low frequencies are divided by `factor`, high ones kept, those between blended. */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

export interface LlamaConfig extends CausalLmConfig {
  readonly family: 'llama';
  /** Divides `heads`. */
  readonly kvHeads: number;
  /** Even; `heads * headDim` need not be `hiddenSize`. */
  readonly headDim: number;
  readonly eps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

export interface VitConfig extends TransformerConfig {
  readonly family: 'vit';
  /** Side of the square image, in pixels; a multiple of `patchSize`. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly eps: number;
  readonly qkvBias: boolean;
  /** Number of classes. */
  readonly labels: number;
  /** Name of each class where the config gives them all, else empty. */
  readonly labelNames: readonly string[];
}

export type ModelConfig = OptConfig | Gpt2Config | LlamaConfig | VitConfig;
