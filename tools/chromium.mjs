// Finding a Chromium for the tests that need a browser, installing one where that is possible, and starting it.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { exec } from './exec.mjs';

const ON_PATH = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'msedge',
];

/** Where the installers of the usual systems put it. */
const INSTALLED = {
  linux: () => [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/opt/google/chrome/chrome',
    '/snap/bin/chromium',
  ],
  darwin: () =>
    ['/', process.env['HOME'] ?? '/'].flatMap((home) =>
      ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((name) =>
        join(home, 'Applications', `${name}.app`, 'Contents', 'MacOS', name),
      ),
    ),
  win32: () =>
    ['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap((variable) =>
      [
        ['Google', 'Chrome', 'Application', 'chrome.exe'],
        ['Chromium', 'Application', 'chrome.exe'],
        ['Microsoft', 'Edge', 'Application', 'msedge.exe'],
      ].map((path) => join(process.env[variable] ?? 'C:\\Program Files', ...path)),
    ),
};

/**
 * The executable of a Chromium (or Chrome, or Edge). Where there is none it is installed, if this is Debian or one of its
 * descendants and we may.
 *
 * @param {(message: string) => void} [progress]
 * @returns {Promise<string>}
 * @throws {Error} with a message for people when there is no way.
 */
export async function chromium(progress = (message) => process.stderr.write(`${message}\n`)) {
  const chosen = process.env['CHROME_PATH'];
  if (chosen !== undefined && chosen !== '') {
    if (existsSync(chosen)) return chosen;
    throw new Error(`CHROME_PATH is ${chosen}, but there is no such file.`);
  }
  const found = findChromium();
  if (found !== undefined) return found;
  if (!canInstall()) throw new Error(`No Chromium was found. ${howToInstall()}`);

  progress(
    'No Chromium was found. Installing the one of the distribution with apt-get (some 300 MB, once) …',
  );
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { ok, output } = await exec('apt-get', args, { env });
    if (ok) continue;
    const reason = output.trim().split('\n').slice(-5).join('\n');
    throw new Error(`\`apt-get ${args.join(' ')}\` failed:\n${reason}\n${howToInstall()}`);
  }
  const installed = findChromium();
  if (installed === undefined) {
    throw new Error(`apt-get has installed Chromium, but not where it is looked for. ${howToInstall()}`);
  }
  progress(`Chromium is installed: ${installed}`);
  return installed;
}

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a headless Chromium with a new profile.
 *
 * @param {(message: string) => void} [progress]
 * @returns {Promise<{ context: import('playwright-core').BrowserContext, close: () => Promise<void> }>}
 * @throws {Error} as chromium() does.
 */
export async function launchChromium(progress) {
  const executablePath = await chromium(progress);
  // Imported here because it is not there yet when this module is loaded for a first install.
  const { chromium: driver } = await import('playwright-core');
  const profile = mkdtempSync(join(tmpdir(), 'taskscope-chromium-'));
  const removeProfile = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const options = { executablePath, headless: true, args: ARGS };
    const context = await driver.launchPersistentContext(profile, options);
    return {
      context,
      async close() {
        await context.close();
        removeProfile();
      },
    };
  } catch (error) {
    removeProfile();
    throw error;
  }
}

/** The first Chromium of those that are on the PATH or where it is usually installed. */
function findChromium() {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const onPath = ON_PATH.flatMap((name) => folders.map((folder) => join(folder, name + suffix)));
  const usual = INSTALLED[/** @type {keyof typeof INSTALLED} */ (process.platform)]?.() ?? [];
  return [...onPath, ...usual].find((file) => existsSync(file));
}

function canInstall() {
  return process.platform === 'linux' && existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

function howToInstall() {
  const how = {
    linux: 'On Debian and Ubuntu: `sudo apt-get install chromium`.',
    darwin: 'With Homebrew: `brew install --cask chromium`.',
    win32: 'With winget: `winget install Google.Chrome`.',
  }[/** @type {string} */ (process.platform)];
  return `Install Chromium or Chrome, or set CHROME_PATH to its executable. ${how ?? ''}`.trimEnd();
}
