/** The page, in a headless Chromium. */

import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { chromium as findChromium } from '../../../tools/chromium.mjs';
import { startProgram } from '../../program.fixture.js';

// Where there is no Chromium, it may have to be installed first.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 600_000 });
const eventually = { timeout: 30_000, interval: 50 };

let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox'] });
});

afterAll(() => browser?.close());

test.skipIf(process.platform === 'win32')('shows prices that change, and whether they are live', async () => {
  const program = startProgram(import.meta.url, 'main.ts', '--port', '0', '--speed', '5');
  await program.printed('Ctrl-C ends.');
  const [, url] = /(http:\S+\/)\. Ctrl-C/.exec(program.stdout())!;

  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(url!);

  const state = page.locator('#state');
  await expect.poll(() => state.textContent(), eventually).toBe('Live');
  await expect
    .poll(() => page.locator('#prices li .symbol').allTextContents(), eventually)
    .toEqual(['COCOA', 'COFFEE', 'COTTON', 'PEPPER', 'RICE', 'SUGAR', 'TEA', 'WHEAT']);
  const tea = page.locator('[data-symbol=TEA]');
  const price = tea.locator('.price');
  const seen = new Set<string | null>();
  const differentPrices = async (): Promise<number> => seen.add(await price.textContent()).size;
  await expect.poll(differentPrices, eventually).toBeGreaterThan(3);
  for (const text of seen) expect(text).toMatch(/^\d+\.\d\d$/);
  // Each price is marked as one that went up, or down.
  for (const direction of ['up', 'down']) {
    const marks = async (): Promise<string | null> => tea.getAttribute('class');
    await expect.poll(marks, eventually).toMatch(new RegExp(`\\b${direction}\\b`));
  }
  await expect.poll(() => tea.locator('.change').textContent(), eventually).toMatch(/^[▲▼] \d\.\d\d %$/);
  expect(await page.locator('#dropped').textContent()).toBe('0');
  expect(Number((await page.locator('#received').textContent())?.replace(',', ''))).toBeGreaterThan(8);

  // Only some of them.
  await page.goto(`${url}?symbols=RICE,TEA`);
  await expect
    .poll(() => page.locator('#prices li .symbol').allTextContents(), eventually)
    .toEqual(['RICE', 'TEA']);
  expect(problems).toEqual([]);

  // When the service has gone, the page says so.
  program.kill('SIGTERM');
  expect(await program.ended).toMatchObject({ code: 0 });
  await expect.poll(() => state.textContent(), eventually).toBe('Connection lost. Trying again');
  await page.close();
});
