/** @file The errors of the `.rir` text form (RC04xx) and of the verifiers (RC05xx). */
import type { CodeInfo, DiagnosticCode } from './diagnostics/diagnostic.ts';

export const textCodes = {
  RC0401: {
    title: 'Character that does not belong in a .rir text',
    explanation:
      'The text holds a character that begins no word of the language, or a string that is not closed, has an unknown escape, ' +
      'or holds a control character. Strings and quoted names (`@"odd name"`) are written as in JSON.',
  },
  RC0402: {
    title: 'Syntax error in a .rir text',
    explanation:
      'At the given place stands something else than the grammar allows. The grammar is at the top of ir/text/grammar.ts.',
  },
  RC0403: {
    title: 'Item or operation of the wrong form',
    explanation:
      'The item or operation has parts that do not belong to it, or lacks parts that do: for example a region without `yield`, ' +
      'an operation without a result, or a positional operand after labelled ones.',
  },
  RC0404: {
    title: 'Unknown word',
    explanation:
      'The word is not one that may stand there: an operation, a kernel, a part of a module, a role, a router, a type. Words are case-sensitive.',
  },
  RC0405: {
    title: 'Number out of range',
    explanation:
      'The number is not a finite double, or not usable where it stands (a block number, a range, columns of a buffer).',
  },
  RC0406: {
    title: 'Text too large',
    explanation: 'The text has more characters, more statements or names more successors than the compiler reads.',
  },
  RC0407: {
    title: 'Header or plan field missing or wrong',
    explanation:
      'A field of `network`, `program`, `kv`, `memory`, `weight`, `buffer` or `block` is missing, unknown, or has a value that it cannot have. ' +
      'A network needs `task`, `context`, `kv`, `revisit` and `max_hops`; a program also `chunk` and `head_rows`.',
  },
  RC0408: {
    title: 'Part missing or given twice',
    explanation: 'A module has exactly one header, one `entry` and one `exit`, and at most one `kv` and one `memory`.',
  },
  RC0409: {
    title: 'Label given twice',
    explanation: 'An attribute, an optional operand or an input of the same name is written twice in one place.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

export const verifyCodes = {
  RC0501: {
    title: 'Size in the header out of range',
    explanation:
      '`context` is a whole number from 1 to 16,777,216, `max_hops` one from 1 to 65,536. In a program `head_rows` is at most `chunk`, ' +
      'and `chunk` at most `context`; for images the chunk is the context, and there is one row of logits.',
  },
  RC0502: {
    title: 'Blocks out of order',
    explanation:
      'Blocks have distinct whole numbers from 0 to 32,767 and stand in ascending order. Gaps are allowed: passes remove blocks.',
  },
  RC0503: {
    title: 'Name defined twice',
    explanation:
      'Every constant has its own name; so has every value of a region, its parameters included. Weights, buffers and bodies of a program likewise.',
  },
  RC0504: {
    title: 'Operation in the wrong place',
    explanation:
      'Some operations only make constants (`tensor`, `transpose`, …), some only stand in regions (`linear`, `attention`, …).',
  },
  RC0505: {
    title: 'Undefined value',
    explanation:
      'A constant may read the constants above it; an operation may read constants, the parameters of its region and the results above it; a region yields one of its own values.',
  },
  RC0506: {
    title: 'Wrong operands',
    explanation: 'The operation has too few or too many operands, or an optional operand that it does not know.',
  },
  RC0507: {
    title: 'Wrong attribute',
    explanation: 'An attribute is unknown, missing, of the wrong type, out of its range or not finite.',
  },
  RC0508: {
    title: 'Impossible size',
    explanation:
      'Sizes are whole numbers of at least 1, `tokens` may only be the first, the rank is at most 8, and a tensor has at most 2^36 elements at full context.',
  },
  RC0509: {
    title: 'Type mismatch',
    explanation: 'The operation does not accept operands of these types, or gives another type than is written.',
  },
  RC0510: {
    title: 'Wrong parameters of a region',
    explanation:
      'Entry takes (ids: i32[tokens], positions: i32[tokens]), or one image f32[channels, height, width]; a block takes the hidden state f32[tokens, d] and the positions i32[tokens]; exit takes the hidden state.',
  },
  RC0511: {
    title: 'Wrong result of a region',
    explanation:
      'Entry and all blocks yield the same hidden state f32[tokens, d] (the entry of an image network f32[context, d]); exit yields f32[tokens, n], or f32[1, n] for an image.',
  },
  RC0512: {
    title: 'Wrong attention operations',
    explanation:
      'A block of role `attention` holds exactly one `attention` operation, with a row for each token, so that each leaves its entry; other blocks, entry and exit hold none.',
  },
  RC0513: {
    title: 'Wrong residual sum',
    explanation:
      'A block holds exactly one residual sum, a `residual` operation or a `linear` with a `residual` operand, and it adds to the block’s first parameter.',
  },
  RC0514: {
    title: 'Attention does not fit the task',
    explanation: 'Attention is causal in language models, and not causal in image classification.',
  },
  RC0515: {
    title: 'Wrong successor',
    explanation:
      'Entry and every block have at least one successor; each exists, and none is named twice. All edges together name at most 1,000,000.',
  },
  RC0516: {
    title: 'Router missing',
    explanation: 'An edge with several successors needs a router that chooses among them: `-> external [^1, ^2]`.',
  },
  RC0517: {
    title: 'Route leads back',
    explanation:
      'In a network for images all tokens go through a block together, so a block’s successors must come after it.',
  },
  RC0518: { title: 'Exit cannot be reached', explanation: 'No way along the successors leads from entry to exit.' },
  RC0519: {
    title: 'A probe outside its block',
    explanation:
      'A probe reports on the block whose number it names, so it stands in that block, once. One that reports on a KV list (`of`) ' +
      'stands in the block of the list or in one before, once for each kind of report.',
  },
  RC0520: {
    title: 'Wrong weight',
    explanation:
      'A weight of a program is one of its constants, with the same shape; a weight in panels or int8 is a matrix.',
  },
  RC0521: {
    title: 'Wrong buffer',
    explanation:
      'A buffer has a whole number of rows (or `chunk`, or `head`) and of columns, at least 1 each; a program has at most 8192 buffers.',
  },
  RC0522: {
    title: 'Wrong inputs of a kernel',
    explanation:
      'A kernel has the inputs that the kernel table names, views or weights as it says, and an output where it makes one.',
  },
  RC0523: {
    title: 'Wrong view',
    explanation:
      'A view names a buffer of the program and columns inside it; ids and positions are read from `$ids` and `$pos`, which are i32, all else is f32. ' +
      'A weight that a kernel reads is a formal of its body.',
  },
  RC0524: {
    title: 'Kernel with sizes that do not fit together',
    explanation:
      'The columns of a kernel’s views and the shapes and layouts of its weights must fit together as the kernel’s definition says.',
  },
  RC0525: {
    title: 'Read before it is written',
    explanation:
      'Nothing lasts in scratch buffers from one run of a body to the next: a kernel may read only columns that a kernel above it has written, in the same rows: ' +
      'routed views reach other rows than views that are not. The same goes for scores, logits and the like; given are the hidden state, to the entry the pixels, ' +
      'to blocks `$probability`, to a `finish` `$partial`.',
  },
  RC0526: {
    title: 'Output over an input',
    explanation:
      'A kernel’s output may lie over an input only where the kernel’s definition allows it, and then it must be exactly the same view.',
  },
  RC0527: {
    title: 'Wrong code of a body',
    explanation:
      'The body of an attention block appends to the KV list once, then attends once; its fill, which only policy `project` has, appends once at its end. ' +
      'Other bodies do not touch the KV cache. A body has at most 10,000 kernels.',
  },
  RC0528: {
    title: 'Body used wrongly',
    explanation:
      'Entry, each block and exit use a body of the program, with as many weights as it has formals, each of the formal’s shape and layout.',
  },
  RC0529: {
    title: 'KV lists or KV plan wrong',
    explanation:
      'Attention blocks have lists 0, 1, … in their order, other blocks none; the plan has as many lists, entries wide enough, pages of 8 to 256 slots, ' +
      'and its control buffers. Lists and pool have room for the worst case: what the hop cap, the policies and the edges allow every position to leave.',
  },
  RC0530: {
    title: 'Wrong address',
    explanation:
      'Once a program is placed in memory, everything has an address: aligned to 64 bytes, inside the memory, apart from all that is alive at the same time. The memory is a multiple of 65,536 bytes.',
  },
  RC0531: {
    title: 'Row that does not exist',
    explanation:
      'Positions go from 0 to `context` - 1, so a table that they select rows of (by `embed` or `rope`) has at least `context` + `offset` rows. ' +
      'A table that ids select rows of has more than `offset`. `select` names a row that is surely there: in a language model, of the tokens in flight only row 0.',
  },
  RC0532: {
    title: 'Buffer of the program missing or of another form',
    explanation:
      'The caller, the control code and the bodies of a program talk by buffers of given names and forms: `$ids`, `$pos`, `$rows`, `$x`, `$logits`; ' +
      '`$pixels` for images; `$probes` where there are probes; `$walk`, `$next`, `$hop` and others where tokens walk. ir/kernel/control.ts says what they hold.',
  },
  RC0533: {
    title: 'Too few rows',
    explanation:
      'A kernel computes a row for each token of its row list, at most a chunk (in the exit of a language model: at most `head_rows`), or as many as its output has. ' +
      'All views that it reads and writes have so many rows; a routed view has one for each token of the chunk. `select` and `patchify` write to buffers that have no more rows than they make.',
  },
  RC0534: {
    title: 'All gates of an edge may be closed',
    explanation:
      'An edge `gate` leads to the first successor whose gate is open. The last one must have no gate, so that there is always a way.',
  },
  RC0535: {
    title: 'Different ways behind a gate',
    explanation:
      'A token that finds the gate of a block closed goes on to the successor behind it in the list. All lists name the same one there, so that it does not matter where the token came from.',
  },
  RC0536: {
    title: 'No hub to ask',
    explanation:
      'An edge `hub` needs the module’s `hub`, which scores all blocks and the exit. Networks for images have none: their tokens go through the blocks together.',
  },
  RC0537: {
    title: 'Score prepared for nobody',
    explanation:
      'A block may prepare the score of the gate that a token tries first after it; that gate then has a `finish` beside it, which makes the score of what was prepared.',
  },
  RC0538: {
    title: 'Trace that no token can follow',
    explanation:
      'A trace names blocks of which each is a successor of the one before, so that a program may run them in a straight line. A block is in one trace at most, and once.',
  },
  RC0539: {
    title: 'An oracle cannot look ahead',
    explanation:
      'An edge `oracle_input` or `oracle_output` leads to the first successor whose residual ratio is not below the threshold; to know it, a token ' +
      'executes the block and takes that back. So all edges of the network lead forward, the lists of these ascend and end in `exit`, what ' +
      'follows a block is the same in all lists, all oracles are of one kind, there are neither gates nor a hub beside them, and the blocks ' +
      'have probes (pass insert-probes). Tokens of images go through the blocks together, so they have no oracle.',
  },
  RC0540: {
    title: 'Block with a gate that weighs, and a way around it',
    explanation:
      'Under `weighting: "probability"` what a block with a gate adds is scaled by the probability that its gate gives. All edges to the block must ask gates, so that there is one.',
  },
  RC0541: {
    title: 'Branch scaled wrongly',
    explanation:
      'Under `weighting: "probability"` the body of each block has one kernel that scales the branch by `$probability[routed, 0..1]`, what the router says of the row. Other code has none, and so have programs in which no router decides.',
  },
  RC0542: {
    title: 'Entry of a KV list that nobody writes',
    explanation:
      'Attention reads entries of all tokens that have executed the block or, under the KV policies that say so, passed it over. Under `project` the latter write theirs in ' +
      'the fill of the body, which changes nothing else; `attend` computes a row for each token that runs, since no other row has an entry.',
  },
  RC0543: {
    title: 'Body that does not leave what is read of it',
    explanation:
      'When a body has run, others read what it is for: of the entry all of `$x`, of the exit `$logits`, of a gate its score in `$router`, of the hub all scores, ' +
      'of a block that prepares a score `$partial`. It writes all columns of that, or what an earlier request has left would be read.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
