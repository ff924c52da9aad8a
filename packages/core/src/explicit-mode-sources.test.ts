/**
 * Explicit mode on the sources, where coverage sees it. The bundle that browsers get is tested in
 * explicit-mode.test.ts: another file, since copies of core in one process share what is ambient.
 */

import { test, vi } from 'vitest';

import { startServer } from './answering.fixture.js';
import { tests } from './explicit-mode.fixture.js';

vi.mock('./platform/node.js', () => import('./platform/browser.js'));

const { url } = await startServer();

test.each(Object.entries(tests))('%s', (_name, run) => run({ url }));
