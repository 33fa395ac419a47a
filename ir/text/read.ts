/** @file Turns syntax into the parts that both stages have: attributes, types, edges, constants, header fields. */
import type { AttrSpec } from '../ops/spec.ts';
import { MAX_BLOCK, MAX_SUCCESSORS } from '../limits.ts';
import { isOpKind, opKinds } from '../ops/table.ts';
import type { OpKind } from '../ops/table.ts';
import type { Attr, Attrs, BlockId, Const, DType, Edge, Global, Ref, Router, Successor, TensorType } from '../types.ts';
import { attrProblems, didYouMean, inferredType, quote, signatureProblems, undefinedReads } from '../verify/op.ts';
import type { OpParts } from '../verify/op.ts';
import type { Report } from './report.ts';
import { isViewNode } from './syntax.ts';
import type { ArgNode, CallNode, EdgeNode, FieldNode, ItemNode, NameNode, TypeNode, Value } from './syntax.ts';

const routerKinds: readonly Router['kind'][] = ['external', 'gate', 'hub', 'oracle_input', 'oracle_output'];

/** Stands for a type that could not be found out; where it is used, no further error is reported. */
const unknownType: TensorType = { dtype: 'f32', shape: [] };

/** The types of the names that are visible. Inner names (`%`) and outer ones (`@`) never meet. */
export class Types {
  readonly #outer: Types | undefined;
  readonly #types = new Map<Ref, TensorType>();

  constructor(outer?: Types) {
    this.#outer = outer;
  }

  get(ref: Ref): TensorType | undefined {
    return this.#types.get(ref) ?? this.#outer?.get(ref);
  }

  /** Without a type, the name is there, but nothing is known of it. */
  set(ref: Ref, type: TensorType = unknownType): void {
    this.#types.set(ref, type);
  }
}

/** Reads one module; errors go to the report, and what is read then is only good for finding more of them. */
export class Reader {
  readonly report: Report;
  #successors = 0;

  constructor(report: Report) {
    this.report = report;
  }

  /** False, after an error, unless the item is built as `form` says (see {@link formOf}). */
  isWellFormed(item: ItemNode, form: RegExp, example: string): boolean {
    if (form.test(formOf(item))) return true;
    this.report.add(
      {
        code: 'RC0403',
        message: `this \`${item.word.text}\` has parts missing or too many`,
        help: `it is written \`${example}\``,
      },
      item.word.at,
    );
    return false;
  }

  unknownWord(what: string, word: NameNode, known: readonly string[]): void {
    const suggestion = didYouMean(word.text, known);
    const help = suggestion.help ?? (known.length <= 8 ? `known: ${known.join(', ')}` : undefined);
    this.report.add(
      { code: 'RC0404', message: `${quote(word.text)} is not ${what}`, ...(help === undefined ? {} : { help }) },
      word.at,
    );
  }

  attrs(fields: readonly FieldNode[]): Attrs {
    this.#unique(fields.map((field) => ({ text: field.key, at: field.at })));
    return Object.fromEntries(fields.map((field) => [field.key, this.#attr(field)]));
  }

  /** The attributes of a header-like item, checked against `specs`. */
  header(subject: string, fields: readonly FieldNode[], at: number, specs: Readonly<Record<string, AttrSpec>>): Attrs {
    const attrs = this.attrs(fields);
    for (const problem of attrProblems('RC0407', subject, attrs, specs)) this.report.add(problem, at);
    return attrs;
  }

  #attr({ key, value, at }: FieldNode): Attr {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return this.#number(value, at);
    if (!isList(value)) {
      if (value.word === 'true' || value.word === 'false') return value.word === 'true';
      this.report.add(
        {
          code: 'RC0404',
          message: `${quote(value.word)}, the value of ${quote(key)}, is not \`true\` or \`false\``,
          help: 'strings stand in double quotes',
        },
        at,
      );
      return 0;
    }
    return value.map((item) => {
      if (typeof item === 'number') return this.#number(item, at);
      this.report.add({ code: 'RC0403', message: `the list ${quote(key)} may hold only numbers` }, at);
      return 0;
    });
  }

  #number(value: number, at: number): number {
    if (!Number.isFinite(value)) {
      this.report.add({ code: 'RC0405', message: 'the number is too large for a double' }, at);
    }
    return value;
  }

  #unique(names: readonly NameNode[]): void {
    const seen = new Set<string>();
    for (const { text, at } of names) {
      if (seen.has(text)) {
        this.report.add({ code: 'RC0409', message: `${quote(text)} is given twice`, help: 'keep one of them' }, at);
      }
      seen.add(text);
    }
  }

  /** The sizes of a type; words other than `words` are errors. */
  dims<W extends string>(type: TypeNode, words: readonly W[]): readonly (number | W)[] {
    return type.dims.map((dim) => {
      if (typeof dim === 'number') return this.#number(dim, type.at);
      const word = words.find((known) => known === dim);
      if (word === undefined) this.unknownWord('a size', { text: dim, at: type.at }, words);
      return word ?? 1;
    });
  }

  tensorType(type: TypeNode): TensorType {
    return { dtype: this.dtype(type), shape: this.dims(type, ['tokens']) };
  }

  dtype(type: TypeNode): DType {
    if (type.word === 'f32' || type.word === 'i32') return type.word;
    this.unknownWord('a number type', { text: type.word, at: type.at }, ['f32', 'i32']);
    return 'f32';
  }

  edge(edge: EdgeNode): Edge {
    const router = edge.router === null ? null : this.#router(edge.router);
    const successors = edge.successors.flatMap((node): readonly Successor[] => {
      if (!node.from.startsWith('^')) {
        if (node.from !== 'exit') this.unknownWord('a successor', { text: node.from, at: node.at }, ['exit']);
        return ['exit'];
      }
      const from = this.blockId({ text: node.from, at: node.at });
      return node.to === null ? [from] : this.#range(from, this.blockId({ text: node.to, at: node.at }), node.at);
    });
    return { router, successors, span: this.report.span(edge.at) };
  }

  #router(word: NameNode): Router {
    const kind = routerKinds.find((known) => known === word.text);
    if (kind === undefined) this.unknownWord('a router', word, routerKinds);
    return { kind: kind ?? 'external' };
  }

  #range(from: BlockId, to: BlockId, at: number): readonly BlockId[] {
    if (to < from) this.report.add({ code: 'RC0405', message: `the range ^${from}..^${to} ends before it begins` }, at);
    const length = Math.max(0, to - from + 1);
    this.#successors += length;
    if (this.#successors > MAX_SUCCESSORS) {
      const help = 'leave out successors that no route takes';
      this.report.add({ code: 'RC0406', message: `ranges name more than ${MAX_SUCCESSORS} successors`, help }, at);
      return [];
    }
    return Array.from({ length }, (_, i) => from + i);
  }

  blockId(name: NameNode): BlockId {
    const id = Number(name.text.slice(1));
    if (id <= MAX_BLOCK) return id;
    this.report.add(
      { code: 'RC0405', message: `${quote(name.text)} is not a block number of at most ${MAX_BLOCK}` },
      name.at,
    );
    return 0;
  }

  opKind(call: CallNode): OpKind | undefined {
    if (isOpKind(call.callee.text)) return call.callee.text;
    this.unknownWord('an operation', call.callee, opKinds);
    return undefined;
  }

  /** Positional operands and, by label, the optional ones. */
  operands(args: readonly ArgNode[]): { operands: readonly Ref[]; extras: Readonly<Record<string, Ref>> } {
    const operands: Ref[] = [];
    const extras: [string, Ref][] = [];
    for (const { label, value, at } of args) {
      if (isViewNode(value)) {
        const help = 'values are written `%x`, constants `@w`';
        this.report.add({ code: 'RC0403', message: 'an operation of a network takes no buffers', help }, at);
        continue;
      }
      const ref = value.text as Ref;
      if (label !== null) extras.push([label, ref]);
      else if (extras.length === 0) operands.push(ref);
      else this.report.add({ code: 'RC0403', message: `the operand ${quote(ref)} stands after optional ones` }, at);
    }
    this.#unique(args.flatMap(({ label, at }) => (label === null ? [] : [{ text: label, at }])));
    return { operands, extras: Object.fromEntries(extras) };
  }

  /** The written type or, where there is none, the inferred one. */
  resultType(op: OpParts, written: TypeNode | null, place: 'const' | 'region', types: Types, at: number): TensorType {
    const isDeclared = written === null ? undefined : this.tensorType(written);
    if (isDeclared !== undefined) return isDeclared;
    const problems = [...undefinedReads(op, (ref) => types.get(ref) !== undefined), ...signatureProblems(op, place)];
    for (const problem of problems) this.report.add(problem, at);
    const isKnown = [...op.operands, ...Object.values(op.extras)].every((ref) => types.get(ref) !== unknownType);
    if (problems.length > 0 || !isKnown) return unknownType;
    const type = inferredType(op, (ref) => types.get(ref) ?? unknownType, undefined);
    if ('shape' in type) return type;
    this.report.add(type, at);
    return unknownType;
  }

  /** Constants in order; puts their types into `types`. */
  consts(items: readonly ItemNode[], types: Types): readonly Const[] {
    return items.flatMap((item): readonly Const[] => {
      const { subject, call } = item;
      if (
        !this.isWellFormed(item, /^@:?=$/, 'const @name : f32[2] = op(@a, @b) {attribute: 1}') ||
        subject === null ||
        call === null
      ) {
        return [];
      }
      const name = subject.text as Global;
      const kind = this.opKind(call);
      const { operands, extras } = this.operands(call.args);
      const attrs = this.attrs(call.fields);
      const globals = operands.filter((ref) => ref.startsWith('@')) as Global[];
      if (kind === undefined || Object.keys(extras).length > 0 || globals.length < operands.length) {
        if (kind !== undefined) {
          this.report.add({ code: 'RC0403', message: 'a constant takes only constants, without labels' }, subject.at);
        }
        types.set(name);
        return [];
      }
      const type = this.resultType({ kind, operands, extras, attrs }, item.type, 'const', types, subject.at);
      types.set(name, type);
      return [{ name, kind, operands: globals, attrs, type, span: this.report.span(item.word.at) }];
    });
  }

  /** The one item of its kind; errors when there is none or more. */
  only(items: readonly ItemNode[], word: string, isOptional = false): ItemNode | undefined {
    const [first, second] = items.filter((item) => item.word.text === word);
    if (second !== undefined) {
      const help = 'keep one of them';
      this.report.add({ code: 'RC0408', message: `there is more than one \`${word}\``, help }, second.word.at);
    }
    if (first === undefined && !isOptional) {
      this.report.add({ code: 'RC0408', message: `there is no \`${word}\`` }, items[0]?.word.at ?? 0);
    }
    return first;
  }
}

/**
 * The parts of an item, one character each: sigil of its subject, `r` role, `(` code, `+` second code, `:` type,
 * `{` fields, `=` call, `>` edge.
 */
function formOf(item: ItemNode): string {
  return [
    item.subject === null ? '' : item.subject.text.charAt(0),
    item.role === null ? '' : 'r',
    item.code === null ? '' : item.code.second === null ? '(' : '(+',
    item.type === null ? '' : ':',
    item.fields.length === 0 ? '' : '{',
    item.call === null ? '' : '=',
    item.edge === null ? '' : '>',
  ].join('');
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
