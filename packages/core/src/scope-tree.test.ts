import { describe, expect, test } from 'vitest';

import { virtualTime } from '@taskscope/testing';

import {
  cancelShieldedCheckpoint,
  Cancelled,
  CancelScope,
  checkpoint,
  currentEffectiveDeadline,
  formatTaskTree,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  taskTree,
  type TaskGroup,
  type TaskNode,
  type TaskStatus,
} from './index.js';
import { errorOf } from './observing.fixture.js';
import { rootContext } from './run-context.js';
import { PlainTask } from './ambient.js';
import { attach, detach, cellOfSignal, type Member, openScope, ScopeNode } from './scope-tree.js';

/** Something below a scope that notes what it is told. */
class Note implements Member {
  owner: ScopeNode | undefined = undefined;
  previous: Member | undefined = undefined;
  next: Member | undefined = undefined;
  readonly isScope = false;
  readonly told: unknown[] = [];
  readonly #onDeliver: (() => void) | undefined;

  constructor(owner: ScopeNode, onDeliver?: () => void) {
    this.#onDeliver = onDeliver;
    attach(this, owner);
  }

  deliver(cancellation: Error): void {
    detach(this);
    this.told.push(cancellation);
    this.#onDeliver?.();
  }

  bequeath(heir: ScopeNode): void {
    attach(this, heir);
  }
}

const task = new PlainTask('test', undefined);

function newScope(name = 'scope'): ScopeNode {
  return new ScopeNode('scope', name, rootContext, task);
}

/** A root of a tree of its own. */
function newRoot(): ScopeNode {
  const root = new ScopeNode('root', 'root', rootContext, task);
  root.state = 'open';
  return root;
}

function below(parent: ScopeNode, name?: string): ScopeNode {
  const scope = newScope(name);
  scope.open(parent);
  return scope;
}

function membersOf(scope: ScopeNode): Member[] {
  const members: Member[] = [];
  for (let each = scope.firstMember; each !== undefined; each = each.next) members.push(each);
  const backwards: Member[] = [];
  for (let each = scope.lastMember; each !== undefined; each = each.previous) backwards.push(each);
  expect(backwards.toReversed()).toEqual(members);
  return members;
}

describe('members', () => {
  test('hang below their scope in the order in which they came, and leave from anywhere', () => {
    const root = newRoot();
    const notes = Array.from({ length: 5 }, () => new Note(root));
    const [a, b, c, d, e] = notes as [Note, Note, Note, Note, Note];
    expect(membersOf(root)).toEqual(notes);
    detach(c);
    expect(membersOf(root)).toEqual([a, b, d, e]);
    detach(a);
    detach(e);
    expect(membersOf(root)).toEqual([b, d]);
    attach(c, root);
    expect(membersOf(root)).toEqual([b, d, c]);
    for (const each of [d, b, c]) detach(each);
    expect(membersOf(root)).toEqual([]);
    detach(b); // not in: nothing happens
    expect(b.owner).toBeUndefined();
  });
});

describe('the effective cancellation', () => {
  test('is that of the nearest cancelled scope around, up to a shield', () => {
    const root = newRoot();
    const a = below(root, 'a');
    const b = below(a, 'b');
    const c = below(b, 'c');
    const d = below(c, 'd');
    c.setShield(true);
    a.cancel('cancel', 'a');
    expect([a, b, c, d].map((scope) => scope.cancellation)).toEqual([
      a.ownCancellation,
      a.ownCancellation,
      undefined,
      undefined,
    ]);
    c.setShield(false);
    expect(d.cancellation).toBe(a.ownCancellation);
    c.setShield(true);
    expect(d.cancellation).toBeUndefined();
    c.cancel('cancel', 'c');
    expect(d.cancellation).toBe(c.ownCancellation);
    c.setShield(false);
    // A cancellation that still holds stays the same object.
    expect(d.cancellation).toBe(c.ownCancellation);
    expect(root.cancellation).toBeUndefined();
  });

  test('of a scope whose own and outer cancellation both hold is the one that came first', () => {
    const root = newRoot();
    const outer = below(root);
    const inner = below(outer);
    outer.cancel('cancel', 'outer');
    inner.cancel('cancel', 'inner');
    expect(inner.cancellation).toBe(outer.ownCancellation);
    inner.setShield(true);
    expect(inner.cancellation).toBe(inner.ownCancellation);
    inner.setShield(false);
    expect(inner.cancellation).toBe(inner.ownCancellation);
  });

  test('is not delivered anew when a shield is set or lifted that is so already', () => {
    const root = newRoot();
    const a = below(root, 'a');
    const b = below(a, 'b');
    b.setShield(true);
    const note = new Note(b);
    a.cancel('cancel', 'a');
    b.setShield(true);
    expect(note.told).toEqual([]);
    b.setShield(false);
    b.setShield(false);
    expect(note.told).toEqual([a.ownCancellation]);
  });

  test('is delivered to every member that it newly reaches, once, and to none behind a shield', () => {
    const root = newRoot();
    const top = below(root);
    const plain = below(top);
    const shielded = below(top);
    shielded.setShield(true);
    const notes = [new Note(top), new Note(plain), new Note(shielded), new Note(root)];
    top.cancel('cancel', undefined);
    expect(notes.map((note) => note.told.length)).toEqual([1, 1, 0, 0]);
    shielded.setShield(false);
    expect(notes.map((note) => note.told.length)).toEqual([1, 1, 1, 0]);
    top.cancel('cancel', undefined);
    shielded.setShield(true);
    shielded.setShield(false);
    expect(notes.map((note) => note.told.length)).toEqual([1, 1, 1, 0]);
  });

  test('is that of the new place after a move, and delivered there', () => {
    const root = newRoot();
    const [from, to] = [below(root, 'from'), below(root, 'to')];
    const moved = below(from);
    const deep = below(moved);
    const note = new Note(deep);
    from.cancel('cancel', 'from');
    expect(deep.cancellation).toBe(from.ownCancellation);
    moved.moveTo(to);
    expect(deep.cancellation).toBeUndefined();
    expect(membersOf(from)).toEqual([]);
    expect(membersOf(to)).toEqual([moved]);
    expect(note.told).toHaveLength(1);
    const another = new Note(deep);
    to.cancel('cancel', 'to');
    expect(another.told).toEqual([to.ownCancellation]);
    expect(openScope(moved.cell)).toBe(moved);
    expect(moved.cell.outer).toBe(to.cell);
  });

  test('of a scope that opens below a cancelled one is there at once, unless it is shielded', () => {
    const root = newRoot();
    const top = below(root);
    top.cancel('cancel', undefined);
    expect(below(top).cancellation).toBe(top.ownCancellation);
    const shielded = newScope();
    shielded.shield = true;
    shielded.open(top);
    expect(shielded.cancellation).toBeUndefined();
  });

  test('reaches waits that hang below a scope before it is opened', () => {
    const root = newRoot();
    const top = below(root);
    const scope = newScope();
    const note = new Note(scope);
    top.cancel('cancel', undefined);
    scope.open(top);
    expect(note.told).toEqual([top.ownCancellation]);
  });
});

describe('delivery', () => {
  test('comes after the whole tree is up to date, so whoever is told may look around', () => {
    const root = newRoot();
    const top = below(root);
    const later = below(top);
    let seen: unknown;
    const note = new Note(top, () => (seen = later.cancellation));
    top.cancel('cancel', undefined);
    expect(note.told).toHaveLength(1);
    expect(seen).toBe(top.ownCancellation);
  });

  test('leaves out those who left, or were shielded, while others were told', () => {
    const root = newRoot();
    const top = below(root);
    const [first, second, third] = [below(top), below(top), below(top)];
    const notes: Note[] = [];
    notes.push(
      new Note(first, () => {
        detach(notes[1]!);
        third.setShield(true);
      }),
    );
    notes.push(new Note(second), new Note(third));
    top.cancel('cancel', undefined);
    expect(notes.map((note) => note.told.length)).toEqual([1, 0, 0]);
    third.setShield(false);
    expect(notes[2]!.told).toHaveLength(1);
  });

  test('may cancel further scopes on the way', () => {
    const root = newRoot();
    const [a, b] = [below(root), below(root)];
    const second = new Note(b);
    const first = new Note(a, () => b.cancel('cancel', 'b'));
    a.cancel('cancel', 'a');
    expect(first.told).toEqual([a.ownCancellation]);
    expect(second.told).toEqual([b.ownCancellation]);
  });
});

describe('leaving', () => {
  test('hands on to the scope around what is still below, with its cancellation', () => {
    const root = newRoot();
    const outer = below(root, 'outer');
    const inner = below(outer, 'inner');
    const note = new Note(inner);
    const child = below(inner, 'child');
    inner.leave();
    expect(inner.state).toBe('left');
    expect(membersOf(inner)).toEqual([]);
    expect(membersOf(outer)).toEqual([note, child]);
    expect(child.cell.outer).toBe(outer.cell);
    outer.cancel('cancel', 'outer');
    expect(note.told).toEqual([outer.ownCancellation]);
    expect(child.cancellation).toBe(outer.ownCancellation);
  });

  test("frees what was handed on from the left scope's own cancellation", () => {
    const root = newRoot();
    const inner = below(root);
    const child = below(inner);
    inner.cancel('cancel', undefined);
    expect(child.cancellation).toBeDefined();
    inner.leave();
    expect(child.cancellation).toBeUndefined();
  });

  test('empties the cell: it no longer holds the scope, and leads to the nearest open one around', () => {
    const root = newRoot();
    const a = below(root, 'a');
    const b = below(a, 'b');
    const c = below(b, 'c');
    expect(openScope(c.cell)).toBe(c);
    c.leave();
    expect(c.cell.scope).toBeUndefined();
    expect(c.cell.left).toBeDefined();
    expect(openScope(c.cell)).toBe(b);
    b.leave();
    a.leave();
    expect(openScope(c.cell)).toBe(root);
  });

  test('a cancellation that comes afterwards is remembered and does nothing', () => {
    const root = newRoot();
    const scope = below(root);
    scope.leave();
    scope.cancel('cancel', 'late');
    expect(scope.ownCancellation).toBeInstanceOf(Cancelled);
    expect(scope.cancellation).toBeUndefined();
    scope.setShield(true);
    expect(scope.cancellation).toBeUndefined();
  });
});

describe('catches', () => {
  test('exactly the scope that is cancelled with no cancellation in sight around it', () => {
    const root = newRoot();
    const outer = below(root);
    const inner = below(outer);
    expect(inner.catches()).toBe(false);
    inner.cancel('cancel', undefined);
    expect([outer.catches(), inner.catches()]).toEqual([false, true]);
    outer.cancel('cancel', undefined);
    expect([outer.catches(), inner.catches()]).toEqual([true, false]);
    inner.setShield(true);
    expect([outer.catches(), inner.catches()]).toEqual([true, true]);
  });
});

describe('the signal', () => {
  test('knows its scope, and a foreign one knows none', () => {
    const root = newRoot();
    const scope = below(root);
    expect(cellOfSignal(scope.signal)).toBe(scope.cell);
    expect(cellOfSignal(new AbortController().signal)).toBeUndefined();
  });

  test('is made for those only who ask', () => {
    const root = newRoot();
    const scope = below(root);
    scope.cancel('cancel', undefined);
    expect(scope.controller).toBeUndefined();
    expect(scope.signal.aborted).toBe(true);
  });
});

const DEPTH = 10_000;

describe(`a tree ${DEPTH} deep`, () => {
  test('is cancelled, shielded, unshielded and moved without overflowing the stack', () => {
    const root = newRoot();
    const [top, elsewhere] = [below(root, 'top'), below(root, 'elsewhere')];
    const scopes = [top];
    for (let i = 1; i < DEPTH; i++) scopes.push(below(scopes[i - 1]!));
    const bottom = scopes.at(-1)!;
    const middle = scopes[DEPTH / 2]!;
    const note = new Note(bottom);
    middle.setShield(true);
    top.cancel('cancel', 'top');
    expect(note.told).toEqual([]);
    middle.setShield(false);
    expect(note.told).toEqual([top.ownCancellation]);
    expect(scopes.every((scope) => scope.cancellation === top.ownCancellation)).toBe(true);
    middle.moveTo(elsewhere);
    expect(bottom.cancellation).toBeUndefined();
    expect(scopes[DEPTH / 2 - 1]!.cancellation).toBe(top.ownCancellation);
    elsewhere.cancel('cancel', 'elsewhere');
    expect(bottom.cancellation).toBe(elsewhere.ownCancellation);
    for (const scope of scopes.toReversed()) scope.leave();
  });

  test('that was left from the top down leads every cell to the root', () => {
    const root = newRoot();
    const scopes = [below(root)];
    for (let i = 1; i < DEPTH; i++) scopes.push(below(scopes[i - 1]!));
    for (const scope of scopes) scope.leave();
    expect(openScope(scopes.at(-1)!.cell)).toBe(root);
    expect(membersOf(root)).toEqual([]);
  });

  /** Runs `body` below so many scopes; `each` is told of every one. */
  async function nest(
    depth: number,
    each: (scope: CancelScope) => void,
    body: () => Promise<void>,
  ): Promise<void> {
    if (depth === 0) return body();
    // So that it is not the test itself that overflows the stack.
    await cancelShieldedCheckpoint();
    await new CancelScope().run((scope) => {
      each(scope);
      return nest(depth - 1, each, body);
    });
  }

  test(
    'of users: cancelled from the outermost scope, which alone catches',
    virtualTime(async () => {
      const scopes: CancelScope[] = [];
      let error: unknown;
      await nest(
        DEPTH,
        (scope) => scopes.push(scope),
        async () => {
          const sleeping = sleepForever();
          expect(currentEffectiveDeadline()).toBe(Infinity);
          scopes[0]!.cancel('from the top');
          error = await errorOf(sleeping);
          expect(formatTaskTree().split('\n').length).toBeGreaterThan(DEPTH);
          throw error;
        },
      );
      expect(error).toMatchObject({ reason: 'from the top' });
      expect(scopes.map((scope) => scope.cancelledCaught).lastIndexOf(true)).toBe(0);
      expect(scopes[0]!.cancelledCaught).toBe(true);
    }),
    30_000,
  );

  test(
    'of users: a shield in the middle is raised and lowered',
    virtualTime(async () => {
      const scopes: CancelScope[] = [];
      await nest(
        DEPTH,
        (scope) => scopes.push(scope),
        async () => {
          const middle = scopes[DEPTH / 2]!;
          middle.shield = true;
          scopes[0]!.cancel();
          await sleep(5);
          middle.shield = false;
          await expect(checkpoint()).rejects.toBeInstanceOf(Cancelled);
          middle.shield = true;
          await checkpoint();
        },
      );
      expect(scopes[0]!.cancelledCaught).toBe(false);
    }),
    30_000,
  );

  test(
    'of users: moves with the task that is started in it',
    virtualTime(async () => {
      await taskGroup(async (tg) => {
        const inside: string[] = [];
        await new CancelScope().run(async (startingScope) => {
          await tg.start((status: TaskStatus) =>
            nest(
              DEPTH,
              () => {},
              async () => {
                status.started();
                startingScope.cancel(); // no longer around it
                await sleep(5);
                inside.push('slept');
                await sleepForever();
              },
            ),
          );
        });
        await sleep(10);
        expect(inside).toEqual(['slept']);
        tg.cancel();
      });
    }),
    30_000,
  );

  test(
    'of task groups: cancelled from above, each child ends',
    virtualTime(async () => {
      let ended = 0;
      let isThere = false;
      const grow = (tg: TaskGroup, depth: number): void => {
        tg.startSoon(async () => {
          try {
            await taskGroup(async (inner) => {
              if (depth > 0) grow(inner, depth - 1);
              else isThere = true;
              await sleepForever();
            });
          } finally {
            ended++;
          }
        });
      };
      await taskGroup(async (tg) => {
        grow(tg, 2_000);
        while (!isThere) await checkpoint();
        tg.cancel();
      });
      expect(ended).toBe(2_001);
    }),
    30_000,
  );
});

describe('the tree that users see', () => {
  const find = (node: TaskNode, name: string): TaskNode | undefined => {
    if (node.name === name) return node;
    for (const child of node.children) {
      const found = find(child, name);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  test(
    'tells of shields, cancellations and deadlines as they change',
    virtualTime(async () => {
      const outer = new CancelScope({ name: 'outer', timeout: 100 });
      await outer.run(() =>
        new CancelScope({ name: 'inner' }).run(async (inner) => {
          const look = (name: string): TaskNode | undefined => find(taskTree(), name);
          expect(look('outer')).toMatchObject({ timeLeft: 100, shield: false, cancelled: false });
          expect(look('inner')).toMatchObject({ timeLeft: Infinity, shield: false, cancelled: false });
          await sleep(30);
          expect(look('outer')).toMatchObject({ timeLeft: 70 });
          inner.shield = true;
          outer.cancel();
          expect(look('outer')).toMatchObject({ cancelled: true });
          expect(look('inner')).toMatchObject({ shield: true, cancelled: false });
          inner.shield = false;
          expect(look('inner')).toMatchObject({ shield: false, cancelled: true });
          expect(formatTaskTree()).toMatch(
            /scope "outer", cancelled, 70 ms left\n.*scope "inner", cancelled/,
          );
        }),
      );
      expect(find(taskTree(), 'outer')).toBeUndefined();
      await shield(() => {});
    }),
  );
});
