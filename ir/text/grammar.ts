/**
 * @file The grammar of `.rir`: one for all stages, without recursion and without keywords.
 *
 *     module    = item*
 *     item      = word subject? ( params code | (":" type)? fields? ("=" call)? ) edge?
 *     subject   = "@name" | "$name" | "#name" | "^0" word?
 *     params    = "(" name ":" type, … ")"
 *     code      = "{" statement* "}" (word "{" statement* "}")?
 *     statement = "%name" (":" type)? "=" call | view "=" call | word "%name" | call
 *     call      = (word | "#name") ("(" (word ":")? argument, … ")")? fields?
 *     argument  = "%name" | "@name" | view
 *     view      = "$name" "[" (word ",")? number ".." number "]"
 *     type      = word "[" (number | word), … "]"
 *     fields    = "{" (word | string) ":" value, … "}"
 *     value     = scalar | "[" scalar, … "]"          scalar = number | string | word
 *     edge      = "->" (word? "[" successor, … "]" | successor)
 *     successor = "^0" (".." "^9")? | word
 *
 * Which words are known is asked of the tables by the readers (read-network.ts, read-kernel.ts).
 */
import { EmbeddedActionsParser } from 'chevrotain';
import type { IOrAlt, IParserErrorMessageProvider, IToken } from 'chevrotain';
import * as t from './tokens.ts';
import type * as s from './syntax.ts';

/** Choices are kept rather than made anew for each token. */
type Alternatives<T> = IOrAlt<T>[];

interface Subject {
  readonly subject: s.NameNode | null;
  readonly role: s.NameNode | null;
}

export class Grammar extends EmbeddedActionsParser {
  constructor(errorMessageProvider: IParserErrorMessageProvider) {
    super(t.tokenTypes, {
      maxLookahead: 2,
      recoveryEnabled: false,
      nodeLocationTracking: 'none',
      errorMessageProvider,
    });
    this.performSelfAnalysis();
  }

  readonly module = this.RULE('module', (): s.ItemNode[] => {
    const items: s.ItemNode[] = [];
    this.MANY(() => items.push(this.SUBRULE(this.#item)));
    return items;
  });

  readonly #contents: Alternatives<Pick<s.ItemNode, 'type' | 'fields' | 'call' | 'code'>> = [
    { ALT: () => ({ type: null, fields: [], call: null, code: this.SUBRULE(this.#code) }) },
    {
      ALT: () => ({
        type: this.OPTION1(() => this.SUBRULE(this.#typing)) ?? null,
        fields: this.OPTION2(() => this.SUBRULE(this.#fields)) ?? [],
        call: this.OPTION3(() => this.SUBRULE(this.#definition)) ?? null,
        code: null,
      }),
    },
  ];
  readonly #item = this.RULE('item', (): s.ItemNode => {
    const word = plain(this.CONSUME(t.Word));
    const { subject, role } = this.OPTION(() => this.SUBRULE(this.#subject)) ?? { subject: null, role: null };
    const content = this.OR(this.#contents);
    const edge = this.OPTION4(() => this.SUBRULE(this.#edge)) ?? null;
    return { word, subject, role, ...content, edge };
  });

  readonly #subjects: Alternatives<Subject> = [
    { ALT: () => ({ subject: name(this.CONSUME(t.Global)), role: null }) },
    { ALT: () => ({ subject: name(this.CONSUME(t.BufferToken)), role: null }) },
    { ALT: () => ({ subject: name(this.CONSUME(t.BodyName)), role: null }) },
    {
      ALT: () => {
        const subject = plain(this.CONSUME(t.BlockName));
        return { subject, role: this.OPTION(() => plain(this.CONSUME(t.Word))) ?? null };
      },
    },
  ];
  readonly #subject = this.RULE('subject', (): Subject => this.OR(this.#subjects));

  readonly #typing = this.RULE('typing', (): s.TypeNode => {
    this.CONSUME(t.Colon);
    return this.SUBRULE(this.#type);
  });

  readonly #definition = this.RULE('definition', (): s.CallNode => {
    this.CONSUME(t.Equals);
    return this.SUBRULE(this.#call);
  });

  readonly #code = this.RULE('code', (): s.CodeNode => {
    const params: s.ParamNode[] = [];
    this.CONSUME(t.LeftRound);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => params.push(this.SUBRULE(this.#param)) });
    this.CONSUME(t.RightRound);
    const statements = this.SUBRULE(this.#statements);
    const second = this.OPTION({
      // A word after code belongs to it only when its own code follows at once.
      GATE: () => this.LA(2).tokenType === t.LeftCurly && SECOND_PARTS.has(this.LA(1).image),
      DEF: () => ({ word: plain(this.CONSUME(t.Word)), statements: this.SUBRULE1(this.#statements) }),
    });
    return { params, statements, second: second ?? null };
  });

  readonly #paramNames: Alternatives<s.NameNode> = [
    { ALT: () => name(this.CONSUME(t.Local)) },
    { ALT: () => name(this.CONSUME(t.Global)) },
  ];
  readonly #param = this.RULE('param', (): s.ParamNode => {
    const node = this.OR(this.#paramNames);
    this.CONSUME(t.Colon);
    return { name: node, type: this.SUBRULE(this.#type) };
  });

  readonly #statements = this.RULE('statements', (): s.StatementNode[] => {
    const statements: s.StatementNode[] = [];
    this.CONSUME(t.LeftCurly);
    this.MANY(() => statements.push(this.SUBRULE(this.#statement)));
    this.CONSUME(t.RightCurly);
    return statements;
  });

  readonly #statementForms: Alternatives<s.StatementNode> = [
    {
      ALT: () => {
        const target = name(this.CONSUME(t.Local));
        const type = this.OPTION(() => this.SUBRULE(this.#typing)) ?? null;
        return { kind: 'call', target, type, call: this.SUBRULE(this.#definition), at: target.at };
      },
    },
    {
      ALT: () => {
        const target = this.SUBRULE(this.#view);
        return { kind: 'call', target, type: null, call: this.SUBRULE1(this.#definition), at: target.at };
      },
    },
    {
      ALT: () => {
        const word = this.CONSUME(t.Word);
        return { kind: 'word', word: word.image, name: name(this.CONSUME1(t.Local)), at: word.startOffset };
      },
    },
    {
      ALT: () => {
        const at = this.LA(1).startOffset;
        return { kind: 'call', target: null, type: null, call: this.SUBRULE(this.#call), at };
      },
    },
  ];
  readonly #statement = this.RULE('statement', (): s.StatementNode => this.OR(this.#statementForms));

  readonly #callees: Alternatives<s.NameNode> = [
    { ALT: () => plain(this.CONSUME(t.Word)) },
    { ALT: () => name(this.CONSUME(t.BodyName)) },
  ];
  readonly #call = this.RULE('call', (): s.CallNode => {
    const args: s.ArgNode[] = [];
    const callee = this.OR(this.#callees);
    this.OPTION(() => {
      this.CONSUME(t.LeftRound);
      this.MANY_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE(this.#argument)) });
      this.CONSUME(t.RightRound);
    });
    const fields = this.OPTION1(() => this.SUBRULE(this.#fields)) ?? [];
    return { callee, args, fields };
  });

  readonly #argumentValues: Alternatives<s.ArgNode['value']> = [
    { ALT: () => name(this.CONSUME(t.Local)) },
    { ALT: () => name(this.CONSUME(t.Global)) },
    { ALT: () => this.SUBRULE(this.#view) },
  ];
  readonly #argument = this.RULE('argument', (): s.ArgNode => {
    const label = this.OPTION(() => {
      const word = this.CONSUME(t.Word);
      this.CONSUME(t.Colon);
      return word;
    });
    const value = this.OR(this.#argumentValues);
    return { label: label?.image ?? null, value, at: label?.startOffset ?? value.at };
  });

  readonly #view = this.RULE('view', (): s.ViewNode => {
    const buffer = name(this.CONSUME(t.BufferToken));
    this.CONSUME(t.LeftSquare);
    const word = this.OPTION(() => {
      const found = this.CONSUME(t.Word);
      this.CONSUME(t.Comma);
      return found.image;
    });
    const from = Number(this.CONSUME(t.NumberToken).image);
    this.CONSUME(t.Dots);
    const to = Number(this.CONSUME1(t.NumberToken).image);
    this.CONSUME(t.RightSquare);
    return { buffer: buffer.text, word: word ?? null, from, to, at: buffer.at };
  });

  readonly #dims: Alternatives<number | string> = [
    { ALT: () => Number(this.CONSUME(t.NumberToken).image) },
    { ALT: () => this.CONSUME1(t.Word).image },
  ];
  readonly #type = this.RULE('type', (): s.TypeNode => {
    const dims: (number | string)[] = [];
    const word = this.CONSUME(t.Word);
    this.CONSUME(t.LeftSquare);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => dims.push(this.OR(this.#dims)) });
    this.CONSUME(t.RightSquare);
    return { word: word.image, dims, at: word.startOffset };
  });

  readonly #fields = this.RULE('fields', (): s.FieldNode[] => {
    const fields: s.FieldNode[] = [];
    this.CONSUME(t.LeftCurly);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => fields.push(this.SUBRULE(this.#field)) });
    this.CONSUME(t.RightCurly);
    return fields;
  });

  readonly #keys: Alternatives<s.NameNode> = [
    { ALT: () => plain(this.CONSUME(t.Word)) },
    { ALT: () => quoted(this.CONSUME(t.StringToken)) },
  ];
  readonly #values: Alternatives<s.Value> = [
    { ALT: () => this.SUBRULE(this.#scalar) },
    {
      ALT: () => {
        const items: s.Value[] = [];
        this.CONSUME(t.LeftSquare);
        this.MANY_SEP({ SEP: t.Comma, DEF: () => items.push(this.SUBRULE1(this.#scalar)) });
        this.CONSUME(t.RightSquare);
        return items;
      },
    },
  ];
  readonly #field = this.RULE('field', (): s.FieldNode => {
    const key = this.OR(this.#keys);
    this.CONSUME(t.Colon);
    const value = this.OR1(this.#values);
    return { key: key.text, value, at: key.at };
  });

  readonly #scalars: Alternatives<s.Value> = [
    { ALT: () => Number(this.CONSUME(t.NumberToken).image) },
    { ALT: () => quoted(this.CONSUME(t.StringToken)).text },
    { ALT: () => ({ word: this.CONSUME(t.Word).image }) },
  ];
  readonly #scalar = this.RULE('scalar', (): s.Value => this.OR(this.#scalars));

  readonly #edges: Alternatives<Pick<s.EdgeNode, 'router' | 'successors'>> = [
    { ALT: () => ({ router: null, successors: this.SUBRULE(this.#successors) }) },
    { ALT: () => ({ router: null, successors: [this.SUBRULE(this.#blocks)] }) },
    {
      ALT: () => {
        const word = plain(this.CONSUME(t.Word));
        const listed = this.OPTION(() => this.SUBRULE1(this.#successors));
        if (listed === undefined) return { router: null, successors: [{ from: word.text, to: null, at: word.at }] };
        return { router: word, successors: listed };
      },
    },
  ];
  readonly #edge = this.RULE('edge', (): s.EdgeNode => {
    const at = this.CONSUME(t.Arrow).startOffset;
    return { ...this.OR(this.#edges), at };
  });

  readonly #successorForms: Alternatives<s.SuccessorNode> = [
    { ALT: () => this.SUBRULE(this.#blocks) },
    {
      ALT: () => {
        const word = plain(this.CONSUME(t.Word));
        return { from: word.text, to: null, at: word.at };
      },
    },
  ];
  readonly #successors = this.RULE('successors', (): s.SuccessorNode[] => {
    const successors: s.SuccessorNode[] = [];
    this.CONSUME(t.LeftSquare);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => successors.push(this.OR(this.#successorForms)) });
    this.CONSUME(t.RightSquare);
    return successors;
  });

  readonly #blocks = this.RULE('blocks', (): s.SuccessorNode => {
    const from = this.CONSUME(t.BlockName);
    const to = this.OPTION(() => {
      this.CONSUME(t.Dots);
      return this.CONSUME1(t.BlockName).image;
    });
    return { from: from.image, to: to ?? null, at: from.startOffset };
  });
}

/** Words that may follow a body's code with code of their own. */
const SECOND_PARTS: ReadonlySet<string> = new Set(['fill']);

function plain(token: IToken): s.NameNode {
  return { text: token.image, at: token.startOffset };
}

/** `@"odd name"` without its quotes. */
function name(token: IToken): s.NameNode {
  const { image } = token;
  return image[1] === '"' ? { text: image.charAt(0) + unquote(image.slice(1)), at: token.startOffset } : plain(token);
}

function quoted(token: IToken): s.NameNode {
  return { text: unquote(token.image), at: token.startOffset };
}

/** The lexer lets only JSON strings through; while the grammar records itself, images are empty. */
function unquote(image: string): string {
  return image.startsWith('"') ? (JSON.parse(image) as string) : image;
}
