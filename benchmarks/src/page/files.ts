import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import type { Results } from '../report.js';
import { renderPage, type NamedResults, type Page } from './page.js';

const root = new URL('../../../', import.meta.url);
const results = new URL('benchmarks/results/', root);
const page = new URL('docs/benchmarks.md', root);
const charts = new URL('docs/images/benchmarks/', root);

/** Where the results of a runtime are kept: one file for each of its major versions, `node-24.json` for instance. */
export function resultsFile(runtime: string): URL {
  const [name, version] = runtime.toLowerCase().replace('node.js', 'node').split(' ');
  return new URL(`${name}-${version!.split('.')[0]}.json`, results);
}

/** The results of every runtime that there are: those of the newest Node first. */
export function readResults(): NamedResults[] {
  const files = existsSync(results) ? readdirSync(results).filter((name) => name.endsWith('.json')) : [];
  const all = files.map((file) => {
    const content = JSON.parse(readFileSync(new URL(file, results), 'utf8')) as Results;
    const [name, version] = content.bench.environment.runtime.split(' ');
    return { name: name!, major: Number(version!.split('.')[0]), results: content };
  });
  const isNode = ({ name }: { name: string }): number => (name === 'Node.js' ? 1 : 0);
  return all
    .sort((a, b) => isNode(b) - isNode(a) || a.name.localeCompare(b.name) || b.major - a.major)
    .map(({ name, major, results: content }) => ({ name: `${name} ${major}`, results: content }));
}

/** What the page and its charts should be; undefined without results. */
export function expectedPage(): Page | undefined {
  const all = readResults();
  return all.length === 0 ? undefined : renderPage(all);
}

/** What they are. */
export function writtenPage(): Page {
  const files = existsSync(charts) ? readdirSync(charts) : [];
  return {
    markdown: existsSync(page) ? readFileSync(page, 'utf8') : '',
    charts: new Map(files.sort().map((file) => [file, readFileSync(new URL(file, charts), 'utf8')])),
  };
}

/** Writes the page and its charts anew. */
export function writePage({ markdown, charts: images }: Page): void {
  rmSync(charts, { recursive: true, force: true });
  mkdirSync(charts, { recursive: true });
  for (const [file, image] of images) writeFileSync(new URL(file, charts), image);
  writeFileSync(page, markdown);
}
