/**
 * @file Which token starts a text. Tokenizers say it in two places: `add_bos_token` of tokenizer_config.json, and the
 * template of the post processor in tokenizer.json; the first one counts where it is given, as in Hugging Face's own.
 */

export interface BosRule {
  readonly bos: number | null;
  readonly addBos: boolean;
}

/**
 * @param tokenizer - parsed tokenizer.json
 * @param config - parsed tokenizer_config.json, or undefined
 * @param configBos - `bos_token_id` of config.json, or null
 */
export function bosRule(tokenizer: unknown, config: unknown, configBos: number | null): BosRule {
  const template = templateBos(get(tokenizer, 'post_processor'));
  const named = idOf(tokenizer, textOf(get(config, 'bos_token')));
  const bos = template ?? named ?? configBos;
  const wanted = get(config, 'add_bos_token');
  return { bos, addBos: bos !== null && (typeof wanted === 'boolean' ? wanted : template !== undefined) };
}

/** The id of the special token that the template puts before a text. */
function templateBos(processor: unknown): number | undefined {
  if (get(processor, 'type') === 'Sequence') {
    const inner = get(processor, 'processors');
    return Array.isArray(inner) ? inner.map(templateBos).find((id) => id !== undefined) : undefined;
  }
  if (get(processor, 'type') !== 'TemplateProcessing') return undefined;
  const single = get(processor, 'single');
  const name = get(get(Array.isArray(single) ? single[0] : undefined, 'SpecialToken'), 'id');
  if (typeof name !== 'string') return undefined;
  const ids = get(get(get(processor, 'special_tokens'), name), 'ids');
  const id: unknown = Array.isArray(ids) ? ids[0] : undefined;
  return typeof id === 'number' ? id : undefined;
}

/** A token's text: a string, or an object with its content. */
function textOf(token: unknown): string | undefined {
  const text = typeof token === 'string' ? token : get(token, 'content');
  return typeof text === 'string' ? text : undefined;
}

function idOf(tokenizer: unknown, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const added = get(tokenizer, 'added_tokens');
  const special: unknown = Array.isArray(added)
    ? added.find((token: unknown) => get(token, 'content') === text)
    : undefined;
  const id = get(special, 'id') ?? get(get(get(tokenizer, 'model'), 'vocab'), text);
  return typeof id === 'number' ? id : undefined;
}

function get(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}
