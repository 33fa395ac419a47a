/** @file Reads a trace of a kernel program: `trace ^0 -> [^1, ^2]`. */
import type { Trace } from '../kernel/types.ts';
import type { Reader } from './read.ts';
import type { ItemNode } from './syntax.ts';

export function readTrace(reader: Reader, item: ItemNode): readonly Trace[] {
  const { subject, edge } = item;
  const example = 'trace ^0 -> [^1, ^2]';
  if (!reader.isWellFormed(item, /^\^>$/, example) || subject === null || edge === null) return [];
  const { router, successors } = reader.edge(edge);
  const blocks = successors.filter((successor) => successor !== 'exit');
  if (router !== null || blocks.length < successors.length) {
    const help = `it is written \`${example}\``;
    reader.report.add(
      { code: 'RC0403', message: 'a trace leads from block to block, without a router', help },
      edge.at,
    );
  }
  return [{ blocks: [reader.blockId(subject), ...blocks], span: reader.report.span(item.word.at) }];
}
