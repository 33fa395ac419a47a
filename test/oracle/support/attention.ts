/** @file Runs one `attention` op in the interpreter: its meaning is bound to the KV list of a block. */
import { ConstBuilder, RegionBuilder } from '../../../ir/builder.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { Tensor } from '../../../ir/interpreter/index.ts';
import { booleanAttr } from '../../../ir/ops/attrs.ts';
import { f32, i32 } from '../../../ir/ops/spec.ts';
import type { Attrs, Network, Param, Region } from '../../../ir/types.ts';
import { checkNetwork } from '../../../ir/verify/network.ts';
import { noWeights } from '../../support/tiny.ts';

const positions: Param = { name: '%pos', type: i32('tokens') };

/**
 * attention(q, k, v) of all rows. The hidden state is [q k v]: table rows of a language model when causal, else the pixels
 * of an image whose channels they are. The network has that one block, which adds [attention 0] to it.
 */
export function attendInNetwork(q: Tensor, k: Tensor, v: Tensor, attrs: Attrs): Tensor {
  const rows = q.shape[0] ?? 0;
  const widths = [q, k, v].map(({ shape }) => shape[1] ?? 0);
  const causal = booleanAttr(attrs, 'causal');
  const hidden = joinRows([q, k, v], rows);
  const network = causal ? textNetwork(hidden, rows, widths, attrs) : imageNetwork(rows, widths, attrs);
  checkNetwork(network);
  const found: Float32Array[] = [];
  const interpreter = createInterpreter(network, noWeights);
  const options = {
    onBlock: ({ position, f }: { readonly position: number; readonly f: Float32Array }) => {
      found[position] = f.subarray(0, widths[0]);
    },
  };
  if (causal) {
    interpreter.runTokens(
      Array.from({ length: rows }, (_, i) => i),
      options,
    );
  } else interpreter.runImage(transposed(hidden, rows), options);
  return { shape: q.shape, data: Float32Array.from(found.flatMap((row) => [...row])) };
}

function textNetwork(hidden: Float32Array, rows: number, widths: readonly number[], attrs: Attrs): Network {
  const width = hidden.length / rows;
  const consts = new ConstBuilder();
  const table = consts.add('table', 'values', [], { attrs: { data: [...hidden] }, type: f32(rows, width) });
  const entry = new RegionBuilder([{ name: '%ids', type: i32('tokens') }, positions], (ref) => consts.type(ref));
  const embedded = entry.op('embed', ['%ids', table], { attrs: { offset: 0 } });
  return around({ consts, entry: entry.finish(embedded), task: 'causal-lm', context: rows }, widths, attrs);
}

function imageNetwork(rows: number, widths: readonly number[], attrs: Attrs): Network {
  const width = widths.reduce((sum, size) => sum + size, 0);
  const consts = new ConstBuilder();
  const entry = new RegionBuilder([{ name: '%pixels', type: f32(width, 1, rows) }], (ref) => consts.type(ref));
  const cut = entry.op('patchify', ['%pixels'], { attrs: { size: 1 } });
  return around({ consts, entry: entry.finish(cut), task: 'image-classification', context: rows }, widths, attrs);
}

interface Front {
  readonly consts: ConstBuilder;
  readonly entry: Region;
  readonly task: Network['task'];
  readonly context: number;
}

function around({ consts, entry, task, context }: Front, widths: readonly number[], attrs: Attrs): Network {
  const [wide = 0, narrow = 0] = widths;
  const width = wide + 2 * narrow;
  const globals = (ref: `@${string}`): ReturnType<ConstBuilder['type']> => consts.type(ref);
  const body = new RegionBuilder([{ name: '%x', type: f32('tokens', width) }, positions], globals);
  const part = (from: number, to: number): `%${string}` => body.op('slice', ['%x'], { attrs: { axis: 1, from, to } });
  const [q, k, v] = [part(0, wide), part(wide, wide + narrow), part(wide + narrow, width)];
  const nothing = body.op('scale', [part(wide, width)], { attrs: { by: 0 } });
  const branch = body.op('concat', [body.op('attention', [q, k, v], { attrs }), nothing], { attrs: { axis: 1 } });
  const region = body.finish(body.op('residual', ['%x', branch]));
  const exit = new RegionBuilder([{ name: '%x', type: f32('tokens', width) }], globals);
  const whole = task === 'causal-lm' ? '%x' : exit.op('select', ['%x'], { attrs: { row: 0 } });
  return {
    stage: 'network',
    name: 'attention',
    task,
    context,
    routing: { kv: 'absent', revisit: 'overwrite', maxHops: 1 },
    entry: { ...entry, edge: { router: null, successors: [0] } },
    blocks: [{ id: 0, role: 'attention', body: region, edge: { router: null, successors: ['exit'] } }],
    exit: exit.finish(exit.op('scale', [whole], { attrs: { by: 1 } })),
    consts: consts.list(),
  };
}

function joinRows(parts: readonly Tensor[], rows: number): Float32Array {
  const row = (part: Tensor, r: number): Tensor['data'] => {
    const width = part.data.length / rows;
    return part.data.subarray(r * width, (r + 1) * width);
  };
  return Float32Array.from(Array.from({ length: rows }, (_, r) => parts.flatMap((part) => [...row(part, r)])).flat());
}

/** (rows, columns) as (columns, rows). */
function transposed(data: Float32Array, rows: number): Float32Array {
  const columns = data.length / rows;
  return data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? NaN);
}
