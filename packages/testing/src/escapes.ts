/** What outlived its scope, mostly because an `await` is missing. */

import { ScopeExitedError } from '@taskscope/core';
import type { Instrument } from '@taskscope/core/lowlevel';

/**
 * An instrument that notes what outlives its scope. Whoever forgot to await something does not see how it
 * failed, either.
 */
export function watchEscapes(): { readonly instrument: Instrument; check(): void } {
  const escaped = new Set<string>();
  let firstCall: Error | undefined;
  return {
    instrument: {
      scopeEscaped(scope, _adoptedBy, what) {
        escaped.add(`${what} in "${scope}"`);
        // Only the stack tells where it was called. What had begun before has no such place.
        if (what.endsWith('()'))
          firstCall ??= new Error(`it was called here, after "${scope}" had been left`);
      },
    },
    /** @throws ScopeExitedError if there was something. */
    check() {
      if (escaped.size === 0) return;
      throw new ScopeExitedError(
        `outlived the scope in which it began: ${[...escaped].join('; ')}. Is an await missing?`,
        firstCall === undefined ? undefined : { cause: firstCall },
      );
    },
  };
}
