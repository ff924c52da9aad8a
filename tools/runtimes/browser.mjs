// The programs of an application in headless Chromium.

import { launchChromium } from '../chromium.mjs';
import { fileOf } from './application.mjs';

/** @typedef {import('./suite.js').TestResult} TestResult */
/** @typedef {import('./application.mjs').Program} Program */

/**
 * @typedef {object} Browser
 * @property {string} version
 * @property {(program: Program) => Promise<TestResult[]>} run runs a program in a page of its own
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} url of the application
 * @param {(message: string) => void} progress
 * @returns {Promise<Browser>}
 * @throws {Error} when there is no Chromium, and none can be installed.
 */
export async function openBrowser(url, progress) {
  const { context, close } = await launchChromium(progress);
  return {
    version: context.browser()?.version() ?? '',
    async run(program) {
      const page = await context.newPage();
      /** @type {Promise<never>} */
      const crashed = new Promise((_resolve, reject) => {
        page.on('crash', () => reject(new Error('the page crashed')));
        page.on('pageerror', reject);
      });
      crashed.catch(() => {});
      await page.goto(`${url}/?program=${fileOf(program, 'explicit')}`);
      const done = page.waitForFunction('globalThis.results', undefined, { timeout: 120_000 });
      const results = await Promise.race([done.then((handle) => handle.jsonValue()), crashed]);
      await page.close();
      return /** @type {TestResult[]} */ (results);
    },
    close,
  };
}
