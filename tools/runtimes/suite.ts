/**
 * What the programs in `programs` have in common. Each is a module with a function `runTests`, which is bundled onto what
 * is built; host.mjs calls it on a server, a page in a browser.
 */

import type * as stream from 'node:stream';

/** What tests may ask of where they run. */
export interface Environment {
  /** Whether scopes are ambient. If not, each wait is told its scope by `{ signal }`: explicit mode. */
  readonly ambient: boolean;
  /** A server: `/answer` answers "answer", `/never` does not answer, `/traces` has the programs of `conformance`. */
  readonly url: string;
  /** The modules of Node that tests need, where there are any: not in explicit mode. */
  readonly node?: { readonly stream: typeof stream; readonly process: NodeJS.Process };
}

export type Test = (environment: Environment) => unknown;

export interface TestResult {
  readonly name: string;
  /** Undefined when it passed. */
  readonly error: string | undefined;
}

const PATIENCE = 20_000; // real milliseconds for one test, which takes a few

/** Runs tests one after another. */
export async function runEach(
  tests: Iterable<readonly [name: string, test: Test]>,
  environment: Environment,
): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const [name, test] of tests) results.push({ name, error: await failureOf(() => test(environment)) });
  return results;
}

async function failureOf(test: () => unknown): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    await Promise.race([test(), tooLong]);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    // Not every engine begins the stack with the message.
    const { message, stack = '' } = error;
    return stack.includes(message) ? stack : `${message}\n${stack}`;
  } finally {
    clearTimeout(timer);
  }
}
