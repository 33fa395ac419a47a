/** @file The rows of memory in which a caller tells a program about tokens, and reads where they went. */
import { WALK_DECIDE, WALK_END } from './artifact/manifest.ts';
import type { ProgramInfo, Rows } from './artifact/manifest.ts';
import type { Walk } from './routes.ts';

interface TokenInRow {
  readonly id?: number;
  readonly position?: number;
  readonly sequence?: number;
  /** Undefined: the program decides. */
  readonly walk: Walk | undefined;
}

/** A program without one of these things has no place for it, and is not told. */
export interface TokenRows {
  readonly put: (row: number, token: TokenInRow) => void;
  /** The walk of the token that went through in this row; empty in programs without walks. */
  readonly walk: (row: number) => Walk;
}

export function createTokenRows({ abi, routing }: ProgramInfo, buffer: ArrayBuffer): TokenRows {
  const viewOf = (rows: Rows): Int32Array => new Int32Array(buffer, rows.at, rows.rows * rows.stride);
  const column = (rows: Rows | null): ((row: number, value: number | undefined) => void) => {
    if (rows === null) return () => undefined;
    const view = viewOf(rows);
    return (row, value) => {
      if (value !== undefined) view[row * rows.stride] = value;
    };
  };
  const [putId, putPosition, putSequence] = [column(abi.ids), column(abi.positions), column(abi.sequences)];
  const walks =
    abi.walk === null || !routing.needsWalk ? undefined : { view: viewOf(abi.walk), stride: abi.walk.stride };
  const putWalk = (row: number, blocks: Walk | undefined): void => {
    if (walks === undefined) return;
    const start = row * walks.stride;
    if (blocks === undefined) {
      walks.view.fill(WALK_DECIDE, start, start + routing.maxHops + 1);
      return;
    }
    blocks.forEach((block, hop) => (walks.view[start + hop] = block));
    walks.view[start + blocks.length] = WALK_END;
  };
  return {
    put: (row, { id, position, sequence, walk }) => {
      putId(row, id);
      putPosition(row, position);
      putSequence(row, sequence);
      putWalk(row, walk);
    },
    walk: (row) => {
      if (walks === undefined) return [];
      const hops = walks.view.subarray(row * walks.stride, row * walks.stride + routing.maxHops);
      const end = hops.indexOf(WALK_END);
      return Array.from(end < 0 ? hops : hops.subarray(0, end));
    },
  };
}
