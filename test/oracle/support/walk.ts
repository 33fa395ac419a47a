/**
 * @file Routed transformers with masks, all tokens at once: no caches, no walks.
 *
 * The hidden state of a token that does not execute a block stays as it is; which keys a row sees follows from who executed
 * the block, and from what the KV policy says of the others. For routes that lead forward.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { KvPolicy } from '../../../ir/types.ts';
import { attention, causalMask } from './formulas.ts';
import type { AttentionShape } from './formulas.ts';

export interface AttentionBlock {
  readonly role: 'attention';
  readonly shape: AttentionShape;
  /** Of the hidden states (tokens, width); q and k with their positions in them. */
  readonly qkv: (x: tf.Tensor) => readonly [q: tf.Tensor, k: tf.Tensor, v: tf.Tensor];
  /** The next hidden states, from these and the heads' results. */
  readonly finish: (x: tf.Tensor, mixed: tf.Tensor) => tf.Tensor;
}

export interface MlpBlock {
  readonly role: 'mlp';
  /** The next hidden states. */
  readonly run: (x: tf.Tensor) => tf.Tensor;
}

export interface Transformer {
  readonly causal: boolean;
  /** (tokens, width) */
  readonly entry: tf.Tensor;
  readonly blocks: readonly (AttentionBlock | MlpBlock)[];
  /** (tokens, outputs), for an image (1, outputs). */
  readonly exit: (x: tf.Tensor) => tf.Tensor;
}

export interface Routed {
  /** [block][token]: 1 where the token executes the block. */
  readonly mask: readonly (readonly number[])[];
  readonly kv: KvPolicy;
}

/** Logits; every token executes every block unless `routed` says otherwise. */
export function logitsOf({ causal, entry, blocks, exit }: Transformer, routed?: Routed): tf.Tensor {
  const [tokens = 0] = entry.shape;
  const order = causal ? causalMask(tokens) : tf.ones([tokens, tokens]);
  let x = entry;
  let written: Keys | undefined;
  blocks.forEach((block, id) => {
    const executes = routed === undefined ? tf.ones([tokens]) : tf.tensor1d([...(routed.mask[id] ?? [])]);
    if (block.role === 'mlp') {
      x = choose(executes, block.run(x), x);
      return;
    }
    const [q, k, v] = block.qkv(x);
    const all: Keys = { k, v, there: tf.ones([tokens]) };
    const own: Keys = { k, v, there: executes };
    written = written === undefined ? own : latest(own, written);
    const seen = { absent: own, project: all, latest: written }[routed?.kv ?? 'absent'];
    const mixed = attention(q, seen.k, seen.v, { ...block.shape, mask: tf.mul(order, tf.expandDims(seen.there, 0)) });
    x = choose(executes, block.finish(x, mixed), x);
  });
  return exit(x);
}

/** Keys and values of all tokens, and whether (1) or not (0) each token has any. */
interface Keys {
  readonly k: tf.Tensor;
  readonly v: tf.Tensor;
  readonly there: tf.Tensor;
}

/** Those of a token that executes the block, else those that it wrote last. */
function latest(own: Keys, before: Keys): Keys {
  return {
    k: choose(own.there, own.k, before.k),
    v: choose(own.there, own.v, before.v),
    there: tf.maximum(own.there, before.there),
  };
}

/** Rows of `a` where `which` is 1, else of `b`. */
function choose(which: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.where(tf.tile(tf.expandDims(tf.cast(which, 'bool'), 1), [1, a.shape[1] ?? 0]), a, b);
}
