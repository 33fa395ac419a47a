/**
 * @file The report in a real browser: it shows something, light and dark, asks the network for nothing, and answers to the
 * pointer and the keyboard. Pictures go to $SCREENSHOTS, where that is set.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkpoint, ok, scratch } from '../compiler/cli/support.ts';
import { gates, writeRouters } from '../support/routers.ts';
import { findChromium, openPage } from './browser.ts';
import type { Page } from './browser.ts';
import { readPng } from './png.ts';

const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(4);

const screen = { width: 1100, height: 900, deviceScaleFactor: 1, mobile: false };

describe('the report in Chromium', () => {
  const at = scratch();
  let page: Page;
  before(async function () {
    this.timeout(300_000);
    const chromium = findChromium();
    if (chromium === undefined) return this.skip();
    await checkpoint(at('model'));
    writeRouters(at('model'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, 16);
    writeFileSync(at('text.txt'), text);
    await ok('study', at('model'), '--text', at('text.txt'), '--window', '24', '-o', at('report.html'));
    page = await openPage(chromium);
    await page.send('Page.navigate', { url: pathToFileURL(at('report.html')).href });
    while ((await page.evaluate('document.readyState')) !== 'complete') await page.evaluate('0');
  });
  after(async () => {
    await page.close();
  });

  for (const scheme of ['light', 'dark'] as const) {
    it(`shows its figures in ${scheme} colours`, async () => {
      await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const height = await page.evaluate('document.documentElement.scrollHeight');
      await page.send('Emulation.setDeviceMetricsOverride', { ...screen, height });
      const { data } = await page.send('Page.captureScreenshot', { format: 'png' });
      await page.send('Emulation.clearDeviceMetricsOverride');
      const bytes = Buffer.from(String(data), 'base64');
      const { SCREENSHOTS: folder } = process.env;
      if (folder !== undefined) writeFileSync(join(folder, `report-${scheme}.png`), bytes);
      const picture = readPng(bytes);
      assert.ok(picture.width >= 1000 && picture.height > 3000, `${picture.width} × ${picture.height}`);
      const paper = picture.at(2, 2);
      assert.equal(paper > 0x808080, scheme === 'light');
      for (let y = 0; y + 900 < picture.height; y += 900) {
        const colours = new Set<number>();
        for (let i = 0; i < 900; i++) for (let x = 0; x < 1000; x += 3) colours.add(picture.at(x, y + i));
        assert.ok(colours.size > 20, `pixels ${y} to ${y + 900} have ${colours.size} colours`);
      }
    });
  }

  it('has a picture for each figure, none wider than the column', async () => {
    const found = await page.evaluate(`[...document.querySelectorAll('figure')].map((figure) => ({
      title: figure.previousElementSibling.textContent,
      full: figure.querySelector('svg, table, .passage') !== null,
      wide: [...figure.querySelectorAll('svg, table, .passage')].some((each) => each.getBoundingClientRect().right > figure.getBoundingClientRect().right + 2),
    }))`);
    const figures = found as readonly { title: string; full: boolean; wide: boolean }[];
    assert.equal(figures.length, 8);
    assert.deepEqual(
      figures.filter(({ full, wide }) => !full || wide),
      [],
    );
  });

  it('fits a narrow screen', async () => {
    await page.send('Emulation.setDeviceMetricsOverride', {
      width: 390,
      height: 800,
      deviceScaleFactor: 1,
      mobile: true,
    });
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await page.send('Emulation.clearDeviceMetricsOverride');
  });

  it('shows the path of a token under the pointer, and of those that arrow keys go to', async () => {
    const heading = (): Promise<unknown> => page.evaluate("document.querySelector('#path .path-head').textContent");
    await page.evaluate(
      "document.querySelectorAll('.t')[4].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))",
    );
    assert.match(String(await heading()), /position 4, id \d+ · \d of 4 blocks/);
    assert.equal(await page.evaluate("document.querySelectorAll('#path .cell').length"), 4);
    await page.evaluate("document.querySelectorAll('.t')[4].focus()");
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft']) {
      await page.send('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key });
    }
    assert.match(String(await heading()), /position 5, /);
    assert.equal(await page.evaluate('document.querySelectorAll(\'.t[tabindex="0"]\').length'), 1);
  });

  it('asks for nothing but itself, and nothing goes wrong', () => {
    const requests = page.events
      .filter(({ method }) => method === 'Network.requestWillBeSent')
      .map(({ params }) => (params['request'] as { url: string }).url)
      .filter((url) => url !== pathToFileURL(at('report.html')).href && !url.startsWith('data:'));
    assert.deepEqual(requests, []);
    const faults = page.events.filter(({ method, params }) => {
      const { level } = (params['entry'] ?? {}) as { level?: string };
      return method === 'Runtime.exceptionThrown' || method === 'Runtime.consoleAPICalled' || level === 'error';
    });
    assert.deepEqual(faults, []);
  });
});
