import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { copyRepository, takeVersions } from './next-versions.mjs';

test('the next release has versions from 0.1.0 on, a changelog each, and nothing that is private', async () => {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'taskscope-versions-')));
  onTestFinished(() => rmSync(copy, { recursive: true, maxRetries: 5 }));
  copyRepository(copy);
  const packages = await takeVersions(copy);

  for (const { name, version, changes } of packages) {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    expect(major + minor, `${name} ${version}`).toBeGreaterThan(0);
    expect(changes).not.toBe('');
  }
  const example = readFileSync(join(copy, 'examples/find-duplicates/package.json'), 'utf8');
  expect(JSON.parse(example).version).toBe('0.0.0');
}, 60_000);
