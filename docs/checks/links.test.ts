import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { brokenLinks, readSite } from './links.js';

function problemsOf(files: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'taskscope-site-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return brokenLinks(readSite(folder));
}

test('links to pages, anchors and files of the site are in order', () => {
  const problems = problemsOf({
    'index.html': '<a href="/guide/a.html#b-c">a</a><a href="/guide/">b</a><a href="data.json">c</a>',
    'guide/a.html':
      '<h2 id="b-c">B C</h2><a href="../">up</a><a href="#b-c">here</a><a href="https://a.example">d</a>',
    'guide/index.html': '<script src="/app.js"></script><link href="data:,">',
    'app.js': '',
    'data.json': '{}',
  });
  expect(problems).toEqual([]);
});

test('a missing page and a missing anchor are reported', () => {
  const problems = problemsOf({
    'index.html': '<a href="/guide/b.html">a</a><a href="guide/a.html#c">b</a>',
    'guide/a.html': '<h2 id="b">B</h2>',
  });
  expect(problems).toEqual([
    'index.html: the link to /guide/b.html leads nowhere',
    'index.html: the link to guide/a.html#c leads nowhere',
  ]);
});

test('what would be loaded from elsewhere is reported', () => {
  const problems = problemsOf({
    'index.html':
      '<script src="https://cdn.example/a.js"></script><img src="//a.example/b.png"><img src="c.png">',
  });
  expect(problems).toEqual([
    'index.html loads https://cdn.example/a.js: the site must work offline',
    'index.html loads //a.example/b.png: the site must work offline',
    'index.html loads c.png, which is not there',
  ]);
});
