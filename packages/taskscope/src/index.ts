/**
 * Everything that an application needs: task groups, cancel scopes and timeouts (`@taskscope/core`), locks and limits
 * (`@taskscope/sync`), streams and the router (`@taskscope/streams`).
 *
 * @packageDocumentation
 */

export * from '@taskscope/core';
export * from '@taskscope/sync';
export * from '@taskscope/streams';
