/** @file The diagnostics of passes and of planning, for `radialc explain`. */
import type { CodeInfo, DiagnosticCode } from '../ir/index.ts';

export const passCodes = {
  RC0601: {
    title: 'There is no pass of this name.',
    explanation:
      '`radialc opt --list-passes` prints the names of all passes. Several are joined by commas: `--passes cse,dce`.',
  },
  RC0602: {
    title: 'The pass does not work on this stage.',
    explanation:
      'Network passes and `lower` take a network; kernel passes take what `lower` makes. So a list of passes has the network ' +
      'passes first, then `lower`, then the kernel passes; a dumped kernel program can only go on with kernel passes.',
  },
  RC0603: {
    title: 'A pass made an invalid module.',
    explanation:
      'The module is verified after every pass, and the named pass broke an invariant. This is a bug of radialc, not of your ' +
      'input. Please report it with the printed module; `-O0`, or a `--passes` list without this pass, is a way round it.',
  },
  RC0604: {
    title: 'There is no such place in the list of passes.',
    explanation:
      'Stopping or resuming takes the number of a pass in the list that runs, from 1 on, or its name. A name that occurs ' +
      'several times stands for the last occurrence.',
  },
  RC0605: {
    title: 'There is no such optimisation level.',
    explanation: 'The levels are O0 (what has to be), O1 (nothing twice, nothing unused) and O2 (few large kernels).',
  },
  RC0606: {
    title: 'The hop cap is out of its range.',
    explanation:
      'The hop cap bounds how many blocks a token executes: from 1 to 65,536. Left out it is twice the number of blocks for `--route external`, ' +
      'the number of blocks otherwise.',
  },
  RC0607: {
    title: 'The passes ended before the program was planned.',
    explanation:
      'A program is emitted from kernels whose KV cache and memory are planned. The passes stopped before, or the text was taken up ' +
      'after a pass that it had not been through: `--compile-from` names the pass after which the text was dumped.',
  },
  RC0608: {
    title: 'The prefill chunk is not a whole number of at least 1.',
    explanation:
      'The chunk is how many tokens prefill takes at a time: more are faster, up to a point, and need more memory. Left out ' +
      'it is 128, or the context where that is shorter.',
  },
  RC0609: {
    title: 'The route has more successors than a program can have.',
    explanation:
      'With `--route external` any block may follow any block, so that n blocks have about n² successors. All edges together may name 1,000,000: ' +
      'that is a thousand blocks. A larger model needs a text in which each block names only the successors that routes will take.',
  },
  RC0610: {
    title: 'The routes are of another program.',
    explanation:
      'Recorded routes guide the compilation of the program that they were recorded with: the same number of blocks, and every recorded step an edge. ' +
      'Options that change the edges, such as `--route`, make it another program. `radialc inspect` shows blocks and edges.',
  },
  RC0611: {
    title: 'An oracle cannot see what the block adds.',
    explanation:
      'An oracle compares what a block adds to the hidden state with the hidden state. So the sum that ends the block must be an operation ' +
      'of its own, `residual`, into whose operands insert-probes looks, not a part of its last `linear`.',
  },
  RC0612: {
    title: 'The number of sequences is out of its range.',
    explanation:
      'A program holds at least one sequence, and at most as many as the prefill chunk has tokens, since each of them takes part in ' +
      'a batch with one token. An image is all there is: programs for images hold one, and so do those in which an oracle looks ahead.',
  },
  RC0701: {
    title: 'A kernel needs a constant where the module has a computed value.',
    explanation:
      'Weights of linears, gains, biases, tables and prepended rows are stored with the program, so they have to be constants. ' +
      'Only the left side of a linear, sums and products take computed values.',
  },
  RC0702: {
    title: 'A kernel needs a computed value where the module has a constant.',
    explanation:
      'Ops in regions work on values in flight. An op on constants only belongs to the constants; fold-constants moves it there.',
  },
  RC0703: {
    title: 'No kernel moves rows in this way.',
    explanation:
      'Columns of a value can be cut and joined, a single row can be selected, one row can be prepended. Rows are tokens: cutting ' +
      'or joining several of them is possible for constants only.',
  },
  RC0704: {
    title: 'The program needs more memory than 32-bit addresses reach.',
    explanation:
      'Weights, KV cache and buffers share one memory of at most 4 GiB. The KV cache grows with the context and, under revisit ' +
      'rule `append`, with the hop cap, and with the number of sequences; buffers grow with the prefill chunk.',
  },
  RC0705: {
    title: 'Memory cannot be planned before the KV cache.',
    explanation: 'plan-memory places the KV pool, so plan-kv-cache, which sizes it, has to run before.',
  },
  RC0706: {
    title: 'KV policy `latest` needs K and V of one shape.',
    explanation:
      'Under `latest` a token that passes an attention block over leaves there the K and V that it made in an earlier one. ' +
      'That is possible only if all attention blocks have the same KV heads of the same size.',
  },
  RC0707: {
    title: 'The network is too large to be lowered.',
    explanation:
      'A body has at most 10,000 kernels and a program 8192 buffers, which is far more than models need: an op becomes one kernel, and blocks of ' +
      'equal shape share their code and its buffers. A region that joins or cuts thousands of values needs another form.',
  },
  RC0708: {
    title: 'The program has a buffer that the pass makes.',
    explanation:
      'plan-kv-cache and plan-memory add the buffers that the KV cache and the target need, under their own names. A text that ' +
      'is not planned yet leaves them out.',
  },
} as const satisfies Record<DiagnosticCode, CodeInfo>;
