import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly ended: Promise<Outcome>;
  /** What it has printed so far. */
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the program has printed this, on stdout or stderr. */
  printed(text: string): Promise<void>;
}

/**
 * Starts a program that lies beside a test, with its output in pipes. What still runs at the end of the test is
 * killed.
 *
 * @param test - The test's `import.meta.url`.
 */
export function startProgram(test: string, file: string, ...args: string[]): Program {
  const node = ['--conditions=@taskscope/source', '--import', 'tsx'];
  const child = spawn(process.execPath, [...node, fileURLToPath(new URL(file, test)), ...args], {
    cwd: fileURLToPath(new URL('..', test)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));

  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      child.emit('printed');
    });
  }
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
  return {
    ended,
    stdout: () => output.stdout,
    kill: (signal) => void child.kill(signal),
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (output.stdout.includes(text) || output.stderr.includes(text)) resolve();
        };
        child.on('printed', look);
        child.on('close', () =>
          reject(new Error(`ended without printing ${text}: ${JSON.stringify(output)}`)),
        );
        look();
      }),
  };
}
