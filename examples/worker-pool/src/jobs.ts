/** The jobs, and the file of them: one JSON object a line. */

export interface Job {
  readonly id: string;
  /** Whom it is for. */
  readonly endpoint: string;
  readonly event: string;
  readonly data: unknown;
  /** How often it was attempted already. */
  readonly attempts: number;
}

/**
 * @throws Error that names the line, when one is no job.
 */
export function parseJobs(text: string): Job[] {
  const jobs: Job[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const job = parseJob(line);
    if (job === undefined) {
      throw new Error(`line ${index + 1} must be a JSON object with id, endpoint, event and data`);
    }
    jobs.push(job);
  }
  return jobs;
}

/** The same file again. */
export function formatJobs(jobs: readonly Job[]): string {
  return jobs.map((job) => `${JSON.stringify(job)}\n`).join('');
}

function parseJob(line: string): Job | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, endpoint, event, data, attempts = 0 } = value as Record<string, unknown>;
  if (typeof id !== 'string' || typeof endpoint !== 'string' || typeof event !== 'string') return undefined;
  if (data === undefined || typeof attempts !== 'number' || !Number.isSafeInteger(attempts)) return undefined;
  return { id, endpoint, event, data, attempts };
}
