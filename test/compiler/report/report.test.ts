/** @file `radialc study`: the page, its numbers, its bytes; hostile names and tokens; what it refuses, and an interrupt. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { reportHtml } from '../../../compiler/report/index.ts';
import type { Study } from '../../../compiler/routing/index.ts';
import { checkpoint, filesOf, ok, okJson, optConfig, radialc, scratch, vitConfig } from '../cli/support.ts';
import { refusing } from '../routing/support.ts';
import { gates, writeRouters } from '../../support/routers.ts';

const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(2);

function embedded(page: string): unknown {
  return JSON.parse(/<script type="application\/json" id="study">([^]*?)<\/script>/.exec(page)?.[1] ?? '');
}

describe('radialc study', () => {
  const at = scratch();
  const refused = refusing(at);
  before(async () => {
    await checkpoint(at('model'));
    cpSync(at('model'), at('gates'), { recursive: true });
    writeRouters(at('gates'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), text);
  });
  const args = (model: string, ...rest: readonly string[]): readonly string[] => [
    ...['study', at(model), '--text', at('text.txt'), '--window', '20', '--max-tokens', '60'],
    ...rest,
  ];
  const page = (name: string): string => readFileSync(at(name), 'utf8');

  it('writes a page with the numbers that it prints, and replaces it', async () => {
    const json = await okJson<Study>(...args('model', '-o', at('report.html')));
    assert.deepEqual(embedded(page('report.html')), json);
    assert.ok((json.timing?.points.length ?? 0) > 10);
    const shown = await ok(...args('model', '--no-timing', '-o', at('report.html')));
    assert.match(shown, /report\.html \(\d+ KB|report\.html \([\d.]+ KB\): opt, 4 blocks/);
    assert.match(shown, /oracle-on \*/);
    assert.equal((embedded(page('report.html')) as Study).timing, null);
    assert.ok(!/Measured|NaN|undefined|\[object/.test(page('report.html').split('<script')[0] ?? ''));
  });

  it('writes the same bytes each time, but for measured times', async () => {
    for (const name of ['one.html', 'two.html']) await ok(...args('gates', '--no-timing', '-o', at(name)));
    assert.equal(page('one.html'), page('two.html'));
    const { timing: _, ...measured } = await okJson<Study>(...args('gates', '-o', at('two.html')));
    const { timing: none, ...plain } = embedded(page('one.html')) as Study;
    assert.equal(none, null);
    assert.deepEqual(measured, plain);
  });

  it('rounds coordinates, not what it says', () => {
    const [svg] = /<svg[^]*?<\/svg>/.exec(page('one.html').slice(page('one.html').indexOf('How deep tokens go'))) ?? [];
    for (const threshold of [0.001, 0.05, 0.5, 0.95, 0.999]) assert.ok(svg?.includes(`&gt; ${threshold}<`), svg);
    assert.ok(!/="-?\d+\.\d{3,}"/.test(svg ?? ''));
  });

  it('needs no other file: no address leads anywhere', () => {
    const html = page('one.html');
    const addresses = [...html.matchAll(/(?:src|href|xlink:href|action|url)\s*[=(]\s*["']?([^"')\s>]*)/g)].map(
      (match) => match[1],
    );
    assert.deepEqual(addresses, ['data:,']);
    assert.ok(!/https?:\/\/(?!www\.w3\.org)|@import/.test(html));
    assert.ok(html.includes('default-src &#39;none&#39;'));
    assert.ok(html.length < 400_000, `${html.length} characters`);
  });

  it('names the command, quoted as a shell reads it', async () => {
    writeFileSync(at("it's a text.txt"), text);
    await ok(
      'study',
      at('gates'),
      '--text',
      at("it's a text.txt"),
      '--no-timing',
      '--thresholds',
      '0.4',
      '-o',
      at('q.html'),
    );
    assert.ok(page('q.html').includes('it&#39;\\&#39;&#39;s a text.txt&#39; --thresholds 0.4 --no-timing</code>'));
  });

  it('shows hostile tokens and names as text', async () => {
    const study = embedded(page('one.html')) as Study;
    const evil = '</script><script>alert(1)</script>"\'><img src=x onerror=alert(1)>\u202e\u0000\ud800`${1}';
    const hostile: Study = {
      ...study,
      model: { ...study.model, path: `/m/${evil}`, family: evil },
      against: evil,
      producer: evil,
      text: { ...study.text, files: study.text.files.map((file) => ({ ...file, name: evil })) },
      ratios: { ...study.ratios, profile: { file: evil, tokens: 1, blocks: study.ratios.dense.blocks } },
      passage: study.passage.map((token, i) => ({ ...token, text: i === 1 ? evil : i === 2 ? '' : '\n' })),
    };
    const html = await reportHtml(hostile, evil);
    assert.equal(html.match(/<script/g)?.length, 2);
    assert.equal(html.match(/<\/script/g)?.length, 2);
    assert.ok(!/<img|\u202e|\0|\p{Surrogate}/u.test(html));
    assert.deepEqual(embedded(html), hostile);
  });

  describe('refuses', () => {
    before(async () => {
      await ok('compile', at('model'), '-o', at('out'));
      await ok('profile', at('model'), '--text', at('text.txt'), '-o', at('profile.json'));
      await checkpoint(at('other'), { seed: 2 });
    });

    it('RC1261: compiled programs and modules as text', async () => {
      await refused('RC1261', args('out', '-o', at('r.html')), /a compiled program[^]*--> .*out/);
      await refused('RC1261', args('x.rir', '-o', at('r.html')), /a module in text form/);
    });

    it('RC1262: a profile of another model', async () => {
      const given = ['--profile', at('profile.json'), '-o', at('r.html')];
      await refused('RC1262', args('other', ...given), /the profile is of model [0-9a-f]{12}[^]*profile\.json/);
      const json = await okJson<Study>(...args('model', '--no-timing', ...given));
      assert.equal(json.ratios.profile?.file, 'profile.json');
      rmSync(at('r.html'));
    });

    it('RC1221: image models', async () => {
      await checkpoint(at('vit'), { config: vitConfig });
      await refused('RC1221', args('vit', '-o', at('r.html')), /an image model/);
    });

    it('RC1263: thresholds without gates', () =>
      refused('RC1263', args('model', '--thresholds', '0.5', '-o', at('r.html')), /no routers[^]*--ratios/));

    it('RC1208: to replace what is no report', async () => {
      writeFileSync(at('page.html'), '<!doctype html>\n<p>mine');
      await refused('RC1208', args('model', '-o', at('page.html')), /another file/);
      await refused('RC1208', args('model', '-o', at('text.txt')), /one of the inputs/);
    });
  });

  it('leaves nothing when it is interrupted', async () => {
    const before = filesOf(at());
    const controller = new AbortController();
    const { code } = await radialc(args('gates', '-o', at('never.html')), {
      signal: controller.signal,
      progress: {
        update: (done) => {
          if (done > 3000) controller.abort();
        },
        stop: () => undefined,
      },
    });
    assert.equal(code, 130);
    assert.deepEqual(filesOf(at()), before);
  });
});
