/**
 * Two copies of this package in one process (a dependency brought its own version) must see the same
 * scopes, or cancellation would stop at the border between them. So what there may be only one of is kept
 * under a registered symbol; its number changes when the meaning of what is kept there does.
 */

const KEY = Symbol.for('taskscope/protocol/1');

/** The process-wide instance of `name`, made by whoever comes first. */
export function shared<T>(name: string, make: () => T): T {
  const holder = globalThis as { [KEY]?: Record<string, unknown> };
  const instances = (holder[KEY] ??= Object.create(null) as Record<string, unknown>);
  return (instances[name] ??= make()) as T;
}
