/**
 * @file Says whether a network is valid. Passes, the interpreter and lowering rely on these invariants.
 *
 *  1. Context and hop cap are whole numbers of at least 1, and not absurdly large (see limits.ts). (RC0501)
 *  2. Blocks have distinct whole numbers up to 32,767 and stand in ascending order. (RC0502)
 *  3. A constant's name is defined once; so is a value's in its region, parameters included. (RC0503)
 *  4. Ops stand where the table lets them: in constants or in regions. (RC0504)
 *  5. What is read is defined above: constants read constants; ops read parameters, results and constants; a region
 *     yields a parameter or a result. (RC0505)
 *  6. Ops have as many operands as the table says, and only optional operands that it knows. (RC0506)
 *  7. Attributes are known, of their type and range, finite; those that are needed are there. (RC0507)
 *  8. Sizes are whole numbers of at least 1; `tokens` is only a first size; no tensor is absurdly large. (RC0508)
 *  9. The written type of an op is the one that the table infers. (RC0509)
 * 10. Entry takes (ids, positions), both i32[tokens], or (pixels), f32[c, h, w], by task; blocks take the hidden state
 *     f32[tokens, d] and the positions i32[tokens]; exit and gates take the hidden state, a hub also the hops,
 *     i32[tokens]. (RC0510)
 * 11. Entry and blocks yield the hidden state, the same f32[tokens, d] in all (an image's entry yields f32[context, d]);
 *     exit yields f32[tokens, n], or f32[1, n] for an image; gates yield f32[tokens, 1], a hub f32[tokens, n] with a
 *     column for each number up to the last block's, and one for the exit. (RC0511)
 * 12. An attention block has exactly one attention op, which has a row for each token: so each leaves its entry, and then
 *     looks at the list. Any other region has none. (RC0512)
 * 13. A block has exactly one residual sum; it adds to the block's first parameter. (RC0513)
 * 14. Attention is causal exactly in language models. (RC0514)
 * 15. A probe stands in the block that it names, at most one in each; one of a KV list in a block of which it is the list or
 *     before, at most one of each report. (RC0519)
 * 16. Successors are there, exist and are distinct; all edges together name at most 1,000,000. (RC0515)
 * 17. An edge with several successors has a router. (RC0516)
 * 18. In a network for images, a block's successors come after it. (RC0517)
 * 19. Exit can be reached from entry. (RC0518)
 * 20. Rows that are selected by number are there: a table that positions select rows of has rows for the whole context,
 *     one that ids select rows of at least one; a row that `select` names exists. (RC0531)
 * 21. The last successor of an edge `gate` has no gate. (RC0534)
 * 22. What follows a block with a gate is the same in all edges `gate` that name it. (RC0535)
 * 23. Edges `hub` are in language models that have a hub. (RC0536)
 * 24. Edges that ask an oracle are in language models, name successors in ascending order, the last one being exit, and
 *     all of one kind; all edges beside them lead forward, and none asks gates or a hub. (RC0539)
 * 25. Under weighting `probability` only edges `gate` lead to a block with a gate. (RC0540)
 */
import { RadialError } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Network } from '../types.ts';
import { Findings } from './findings.ts';
import { checkBlocks, checkRegionTypes } from './regions.ts';
import { checkEdges } from './routes.ts';
import { checkTables } from './tables.ts';
import { checkBlockOrder, checkDefinitions, checkHeader } from './values.ts';

/** Everything that is wrong with the network; empty when it is valid. */
export function verifyNetwork(network: Network): readonly Diagnostic[] {
  const findings = new Findings();
  checkHeader(network, findings); // 1
  checkBlockOrder(network.blocks, findings); // 2
  checkDefinitions(network, findings); // 3–9
  checkRegionTypes(network, findings); // 10, 11
  checkBlocks(network, findings); // 12–15
  checkEdges(network, findings); // 16–19, 21–25
  checkTables(network, findings); // 20
  return findings.list();
}

/** Throws a `RadialError` with everything that is wrong; `file` is where the network was read from. */
export function checkNetwork(network: Network, file?: string): void {
  const diagnostics = verifyNetwork(network);
  if (diagnostics.length === 0) return;
  throw new RadialError(
    diagnostics.map((diagnostic) =>
      file === undefined ? diagnostic : { ...diagnostic, place: { file, ...diagnostic.place } },
    ),
  );
}
