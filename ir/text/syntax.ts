/**
 * @file What the grammar makes of a `.rir` text, before it is known which stage's module it is.
 *
 * `at` is the offset of a node in the text. Sigils stay in names; quoted names are unquoted.
 */

export interface NameNode {
  readonly text: string;
  readonly at: number;
}

/** `f32[tokens, 64]`, `panels[192, 64]` */
export interface TypeNode {
  readonly word: string;
  readonly dims: readonly (number | string)[];
  readonly at: number;
}

/** `1.5`, `"layer"`, `true` (a word), `[1, 2]` */
export type Value = number | string | { readonly word: string } | readonly Value[];

export interface FieldNode {
  readonly key: string;
  readonly value: Value;
  readonly at: number;
}

/** `$x[0..64]`; `$x[routed, 0..64]` has a word. */
export interface ViewNode {
  readonly buffer: string;
  readonly word: string | null;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** `%x`, `bias: @b`, `residual: $x[0..64]` */
export interface ArgNode {
  readonly label: string | null;
  readonly value: NameNode | ViewNode;
  readonly at: number;
}

/** `linear(%x, @w, bias: @b) {eps: 1}` */
export interface CallNode {
  readonly callee: NameNode;
  readonly args: readonly ArgNode[];
  readonly fields: readonly FieldNode[];
}

/**
 * `%1 : type = call` · `$t[0..64] = call` · `call` (no target) · `yield %1` (a word and a name)
 */
export type StatementNode =
  | {
      readonly kind: 'call';
      readonly target: NameNode | ViewNode | null;
      readonly type: TypeNode | null;
      readonly call: CallNode;
      readonly at: number;
    }
  | { readonly kind: 'word'; readonly word: string; readonly name: NameNode; readonly at: number };

export interface ParamNode {
  readonly name: NameNode;
  readonly type: TypeNode;
}

export interface SuccessorNode {
  readonly from: string;
  /** Last block of a range. */
  readonly to: string | null;
  readonly at: number;
}

export interface EdgeNode {
  readonly router: NameNode | null;
  readonly successors: readonly SuccessorNode[];
  readonly at: number;
}

export interface CodeNode {
  readonly params: readonly ParamNode[];
  readonly statements: readonly StatementNode[];
  /** `} fill { … }` */
  readonly second: { readonly word: NameNode; readonly statements: readonly StatementNode[] } | null;
}

/**
 * `word subject role : type {fields} = call -> edge`, or, with code,
 * `word subject role(params) { … } word { … } -> edge`; all but the word may be missing.
 */
export interface ItemNode {
  readonly word: NameNode;
  readonly subject: NameNode | null;
  readonly role: NameNode | null;
  readonly type: TypeNode | null;
  readonly fields: readonly FieldNode[];
  readonly call: CallNode | null;
  readonly code: CodeNode | null;
  readonly edge: EdgeNode | null;
}

export function isViewNode(node: NameNode | ViewNode): node is ViewNode {
  return 'buffer' in node;
}
