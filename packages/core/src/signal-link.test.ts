import { describe, expect, test } from 'vitest';

import { PlainTask } from './ambient.js';
import { CancelScope, formatTaskTree, run, sleep, taskGroup, withSignal } from './index.js';
import { listeners } from './observing.fixture.js';
import { rootContext } from './run-context.js';
import { ScopeNode } from './scope-tree.js';
import { linkSignal, type Abortable } from './signal-link.js';

const task = new PlainTask('test', undefined);

function below(parent?: ScopeNode): ScopeNode {
  const scope = new ScopeNode(parent === undefined ? 'root' : 'scope', 'scope', rootContext, task);
  if (parent === undefined) scope.state = 'open';
  else scope.open(parent);
  return scope;
}

function newTarget(): Abortable & { readonly aborts: unknown[] } {
  const aborts: unknown[] = [];
  return { aborts, abort: (error) => void aborts.push(error) };
}

describe('a foreign signal', () => {
  test('aborts the target once, with its reason, and has no listener afterwards', () => {
    const controller = new AbortController();
    const target = newTarget();
    const link = linkSignal(target, below(), controller.signal);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort('enough');
    expect(target.aborts).toEqual(['enough']);
    expect(listeners(controller.signal)).toBe(0);
    link?.unlink();
    expect(target.aborts).toEqual(['enough']);
  });

  test('that is unlinked has no listener and does nothing', () => {
    const controller = new AbortController();
    const target = newTarget();
    const link = linkSignal(target, below(), controller.signal);
    link?.unlink();
    link?.unlink();
    expect(listeners(controller.signal)).toBe(0);
    controller.abort('enough');
    expect(target.aborts).toEqual([]);
  });

  test('that refuses a listener leaves nothing in the tree', async () => {
    const refusing: AbortSignal = Object.assign(new AbortController().signal, {
      addEventListener() {
        throw new Error('refused');
      },
    });
    const options = { signal: refusing };
    for (const begin of [
      () => sleep(1, options),
      () => withSignal(() => {}, options),
      () => new CancelScope(options).run(() => {}),
      () => taskGroup(() => {}, options),
      () => run(() => {}, options),
    ]) {
      await expect(begin()).rejects.toThrow('refused');
    }
    expect(formatTaskTree()).toBe('root "root"');
  });

  test('that refuses a listener links nothing, also when it does so only once', () => {
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    let refused = 0;
    Object.assign(signal, {
      addEventListener(...args: Parameters<typeof add>) {
        if (refused++ === 0) throw new Error('refused');
        add(...args);
      },
    });
    expect(() => linkSignal(newTarget(), below(), signal)).toThrow('refused');
    linkSignal(newTarget(), below(), signal);
    expect(listeners(signal)).toBe(1);
  });

  test('unlinking one of several leaves the others', () => {
    const controller = new AbortController();
    const [first, second] = [newTarget(), newTarget()];
    const link = linkSignal(first, below(), controller.signal);
    linkSignal(second, below(), controller.signal);
    link?.unlink();
    controller.abort('enough');
    expect([first.aborts, second.aborts]).toEqual([[], ['enough']]);
  });
});

test('any number of links to a foreign signal share one listener, which goes with the last of them', () => {
  const controller = new AbortController();
  const links = Array.from({ length: 20 }, () => linkSignal(newTarget(), below(), controller.signal));
  expect(listeners(controller.signal)).toBe(1);
  for (const link of links.slice(1)) link?.unlink();
  expect(listeners(controller.signal)).toBe(1);
  links[0]?.unlink();
  expect(listeners(controller.signal)).toBe(0);
  const target = newTarget();
  linkSignal(target, below(), controller.signal);
  controller.abort('enough');
  expect(target.aborts).toEqual(['enough']);
});

test('a target that unlinks another while the signal aborts keeps that from being aborted', () => {
  const controller = new AbortController();
  const second = newTarget();
  const links: ReturnType<typeof linkSignal>[] = [];
  linkSignal({ abort: () => links[0]?.unlink() }, below(), controller.signal);
  links.push(linkSignal(second, below(), controller.signal));
  controller.abort('enough');
  expect(second.aborts).toEqual([]);
});

describe('the signal of a scope', () => {
  test('aborts the target with the cancellation, without a listener', () => {
    const root = below();
    const other = below(root);
    const target = newTarget();
    const link = linkSignal(target, root, other.signal);
    expect(listeners(other.signal)).toBe(0);
    other.cancel('cancel', 'enough');
    expect(target.aborts).toEqual([other.ownCancellation]);
    expect(other.firstMember).toBeUndefined();
    link?.unlink();
  });

  test('aborts the target when a scope around that one is cancelled', () => {
    const root = below();
    const around = below(root);
    const other = below(around);
    const target = newTarget();
    linkSignal(target, root, other.signal);
    around.cancel('cancel', undefined);
    expect(target.aborts).toEqual([around.ownCancellation]);
  });

  test('needs no link to what lives in that scope anyway', () => {
    const root = below();
    const scope = below(root);
    const target = newTarget();
    expect(linkSignal(target, scope, scope.signal)).toBeUndefined();
    expect(scope.firstMember).toBeUndefined();
  });

  test('that is unlinked leaves nothing below the scope', () => {
    const root = below();
    const other = below(root);
    const target = newTarget();
    const link = linkSignal(target, root, other.signal);
    expect(other.firstMember).toBeDefined();
    link?.unlink();
    link?.unlink();
    expect(other.firstMember).toBeUndefined();
    other.cancel('cancel', undefined);
    expect(target.aborts).toEqual([]);
  });

  test('of a scope that is left afterwards stands for the nearest open scope around', () => {
    const root = below();
    const around = below(root);
    const other = below(around);
    const target = newTarget();
    linkSignal(target, root, other.signal);
    other.leave();
    around.cancel('cancel', undefined);
    expect(target.aborts).toEqual([around.ownCancellation]);
    expect(around.firstMember).toBeUndefined();
  });

  test('of a scope that is left, which was a shield: aborts the target if the scope around is cancelled', () => {
    const root = below();
    const around = below(root);
    const other = below(around);
    other.setShield(true);
    const target = newTarget();
    linkSignal(target, root, other.signal);
    around.cancel('cancel', undefined);
    expect(target.aborts).toEqual([]);
    other.leave();
    expect(target.aborts).toEqual([around.ownCancellation]);
    expect(around.firstMember).toBeUndefined();
  });

  test('of a scope that was left before stands for the nearest open scope around', () => {
    const root = below();
    const around = below(root);
    const other = below(around);
    const { signal } = other;
    other.leave();
    const target = newTarget();
    linkSignal(target, root, signal);
    around.cancel('cancel', undefined);
    expect(target.aborts).toEqual([around.ownCancellation]);
  });
});
