/** @file What a family says of its tensors, written once: the builder reads them by it, `radialc init` draws them by it. */

export interface TensorSpec {
  /** Name inside the model, without the checkpoint's prefix; also the name of the constant. */
  readonly ref: string;
  /** Name in the checkpoint. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Mean and standard deviation of a random one. */
  readonly mean: number;
  readonly std: number;
}

/** A tensor that the checkpoint may hold although the model reads another in its place, to which it must be equal. */
export interface TensorCopy {
  readonly copy: TensorSpec;
  readonly of: TensorSpec;
}

/** A linear map. The weight is [out, in], in GPT-2 [in, out]. */
export interface Dense {
  readonly weight: TensorSpec;
  readonly bias: TensorSpec | undefined;
}

export interface Norm {
  readonly gain: TensorSpec;
  /** None in RMS norms. */
  readonly shift: TensorSpec | undefined;
}

const BIAS_STD = 0.02;

/** Small enough that a sum of many layers stays of order 1, large enough that every layer shows in the logits. */
export function weightStd(inputs: number): number {
  return 0.5 / Math.sqrt(inputs);
}

/** Collects the specs of one model, in the order in which they are asked for. */
export class TensorTable {
  readonly #prefix: string;
  readonly #specs: TensorSpec[] = [];
  readonly #copies: TensorCopy[] = [];

  /** `prefix` stands before all names but those of {@link TensorTable.outside}. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  list(): readonly TensorSpec[] {
    return this.#specs;
  }

  copies(): readonly TensorCopy[] {
    return this.#copies;
  }

  tensor(ref: string, shape: readonly number[], draw: { readonly mean?: number; readonly std: number }): TensorSpec {
    return this.#add(`${this.#prefix}${ref}`, ref, shape, draw);
  }

  dense(ref: string, size: { readonly inputs: number; readonly outputs: number; readonly bias: boolean }): Dense {
    const { inputs, outputs, bias } = size;
    return {
      weight: this.tensor(`${ref}.weight`, [outputs, inputs], { std: weightStd(inputs) }),
      bias: bias ? this.tensor(`${ref}.bias`, [outputs], { std: BIAS_STD }) : undefined,
    };
  }

  /** GPT-2's Conv1D: a linear map whose weight is stored [in, out]. */
  conv1d(ref: string, inputs: number, outputs: number): Dense {
    return {
      weight: this.tensor(`${ref}.weight`, [inputs, outputs], { std: weightStd(inputs) }),
      bias: this.tensor(`${ref}.bias`, [outputs], { std: BIAS_STD }),
    };
  }

  layerNorm(ref: string, width: number): Norm {
    return { gain: this.#gain(ref, width), shift: this.tensor(`${ref}.bias`, [width], { std: 0 }) };
  }

  rmsNorm(ref: string, width: number): Norm {
    return { gain: this.#gain(ref, width), shift: undefined };
  }

  embedding(ref: string, rows: number, width: number): TensorSpec {
    return this.tensor(`${ref}.weight`, [rows, width], { std: weightStd(width) });
  }

  /** The head of a model class, which stands beside the base model: its names have no prefix. */
  outside(ref: string, size: { readonly inputs: number; readonly outputs: number; readonly bias: boolean }): Dense {
    const { inputs, outputs, bias } = size;
    const weight = `${ref}.weight`;
    return {
      weight: this.#add(weight, weight, [outputs, inputs], { std: weightStd(inputs) }),
      bias: bias ? this.#add(`${ref}.bias`, `${ref}.bias`, [outputs], { std: BIAS_STD }) : undefined,
    };
  }

  /** The head of a language model; a tied one is the embedding `tokens` (vocabulary, width) itself. */
  languageHead(tokens: TensorSpec, tied: boolean): TensorSpec {
    const [vocab = 0, width = 0] = tokens.shape;
    if (!tied) return this.outside('lm_head', { inputs: width, outputs: vocab, bias: false }).weight;
    const name = 'lm_head.weight';
    this.#copies.push({ copy: { ...tokens, ref: name, name }, of: tokens });
    return tokens;
  }

  #gain(ref: string, width: number): TensorSpec {
    return this.tensor(`${ref}.weight`, [width], { mean: 1, std: 0 });
  }

  #add(
    name: string,
    ref: string,
    shape: readonly number[],
    draw: { readonly mean?: number; readonly std: number },
  ): TensorSpec {
    const spec = { ref, name, shape, mean: draw.mean ?? 0, std: draw.std };
    this.#specs.push(spec);
    return spec;
  }
}

export function mapLayers<T>(layers: number, make: (layer: number) => T): readonly T[] {
  return Array.from({ length: layers }, (_, layer) => make(layer));
}
