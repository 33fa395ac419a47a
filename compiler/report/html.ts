/**
 * @file HTML as text. What stands in a template's `${}` is escaped unless it is HTML already, so names, tokens and numbers
 * can go in as they are.
 */

export interface Html {
  readonly html: string;
}

type Part = Html | string | number | readonly Html[];

export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, i) => (i === 0 ? '' : asHtml(parts[i - 1] ?? '')) + text).join('') };
}

/** Text that is HTML: of a library, or of this one. */
export function raw(text: string): Html {
  return { html: text };
}

export const nothing = raw('');

function asHtml(part: Part): string {
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return 'html' in part ? part.html : part.map((item) => item.html).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Also shows what would be invisible, or turn the text around: controls, marks of direction, halves of characters. */
function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (char) => entities[char] ?? '');
}

/** Controls but line break and tab, marks of direction, line separators, lone surrogates: as U+ and four digits. */
function visible(text: string): string {
  return text.replace(
    /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu,
    (char) => {
      return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    },
  );
}

/** JSON that can stand in a `script` element, in ASCII: nothing in it ends the element, or turns the text around. */
export function scriptJson(json: string): Html {
  return raw(json.replace(/[^\n\x20-\x7e]|</g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
