/** @file HTML as text: what is put in is shown, and is never markup. */
import assert from 'node:assert/strict';
import { markup, raw, scriptJson } from '../../../compiler/report/html.ts';

describe('html', () => {
  it('escapes text, and leaves HTML as it is', () => {
    const text = `<img src=x onerror="alert('1')">&amp;`;
    assert.equal(
      markup`<p title="${text}">${text}</p>${raw('<br>')}${[markup`<i>${1}</i>`, raw('&shy;')]}`.html,
      '<p title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;">' +
        '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;</p><br><i>1</i>&shy;',
    );
  });

  it('shows what would be invisible, turn the text around, or be no character', () => {
    assert.equal(
      markup`${'a\u0000\u001b[31m\u202eb\u2066\ud800c\ufeff\u0085\r'}`.html,
      'aU+0000U+001B[31mU+202EbU+2066U+D800cU+FEFFU+0085U+000D',
    );
    assert.equal(markup`${'\t\n😀 é '}`.html, '\t\n😀 é ');
  });

  it('keeps JSON in its script', () => {
    const value = { text: '</script><!--<script>\u2028' };
    const { html } = scriptJson(JSON.stringify(value));
    assert.doesNotMatch(html, /<|\u2028/);
    assert.deepEqual(JSON.parse(html), value);
  });
});
