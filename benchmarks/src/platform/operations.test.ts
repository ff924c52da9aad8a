import { describe, expect, test } from 'vitest';

import { inContext, operations, pending } from './operations.js';

describe('what the platform costs', () => {
  test.each(operations)('$name', async ({ repeat }) => {
    expect(await inContext(() => repeat(3))).toBe(3);
  });

  test.each(pending)('memory of $name', async ({ begin }) => {
    const end = begin(3);
    expect(await end()).toBe(3);
  });
});
