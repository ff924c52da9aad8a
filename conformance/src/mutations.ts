/**
 * Mistakes that somebody could make in the sources, each with who has to notice. `mutate.ts` makes them, one at a
 * time, in a copy.
 *
 * The texts are short, and say no more than what matters: an entry has to be changed only when that line is.
 *
 * @module
 */
import type { Reference } from './ledger.js';

export interface Mutation {
  readonly id: string;
  readonly breaks: string;
  /** Relative to the root. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly text: string;
  /** What stands there instead. */
  readonly instead: string;
  readonly caughtBy: 'traces' | NamedTest;
}

/** A test that notices what no trace shows. */
export interface NamedTest extends Reference {
  /** Why no trace does. */
  readonly why: string;
}

/** The text of the file with the mistake in it. */
export function mutate(source: string, { id, file, text, instead }: Mutation): string {
  const [before, after, ...more] = source.split(text);
  if (before === undefined || after === undefined || more.length > 0) {
    const found = source.split(text).length - 1;
    throw new Error(
      `The text of the mutation ${id} is ${found} times in ${file}, and has to be there once: \`${text}\`. ` +
        'Bring conformance/src/mutations.ts up to date.',
    );
  }
  return `${before}${instead}${after}`;
}

export const mutations: readonly Mutation[] = [
  // Cancellation
  {
    id: 'shield-ignored',
    breaks: 'A shield does not keep out the cancellation of the scopes around.',
    file: 'packages/core/src/scope-tree.ts',
    text: 'scope.shield ? undefined : scope.owner?.cancellation',
    instead: 'scope.owner?.cancellation',
    caughtBy: 'traces',
  },
  {
    id: 'shield-not-lifted',
    breaks: 'A cancellation that a shield kept out does not come in when the shield is lifted.',
    file: 'packages/core/src/scope-tree.ts',
    text: "if (this.state === 'open') refresh(this);",
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'shield-too-late',
    breaks: 'A scope that was cancelled from around stays so when it is shielded.',
    file: 'packages/core/src/scope-tree.ts',
    text: 'scope.cancellation = own ?? outer;',
    instead: 'scope.cancellation = own ?? outer ?? before;',
    caughtBy: 'traces',
  },
  {
    id: 'inner-scope-catches',
    breaks: 'The inner of two cancelled scopes catches, instead of the outer.',
    file: 'packages/core/src/scope-tree.ts',
    text: ' && (this.shield || this.owner!.cancellation === undefined)',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'cancel-only-marks',
    breaks: 'Cancelling a scope does not reach the waits that are pending.',
    file: 'packages/core/src/scope-tree.ts',
    text: "if (this.state !== 'left') refresh(this);",
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'cancel-one-level',
    breaks: 'A cancellation reaches a scope and not the scopes below.',
    file: 'packages/core/src/scope-tree.ts',
    text: 'down = scope.firstMember;',
    instead: 'down = undefined;',
    caughtBy: 'traces',
  },
  {
    id: 'edge-not-level',
    breaks: 'A wait that begins in a cancelled scope is not cancelled.',
    file: 'packages/core/src/suspend.ts',
    text: 'if (scope.cancellation !== undefined) return refused(scope.cancellation);',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'waiter-not-removed',
    breaks: 'A wait that is cancelled keeps its place in the queue.',
    file: 'packages/core/src/wait-queue.ts',
    text: 'this.queue?.remove(this);',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'cancellation-passes',
    breaks: 'A scope does not catch its cancellation, which goes on outward.',
    file: 'packages/core/src/scope-exit.ts',
    text: 'if (!catches) return error;',
    instead: 'return error;',
    caughtBy: 'traces',
  },
  {
    id: 'stray-cancellation',
    breaks: 'A cancellation that was meant for somebody else ends a group in silence.',
    file: 'packages/core/src/scope-exit.ts',
    text: 'if (scope.cancellation !== undefined) return undefined;',
    instead: 'return undefined;',
    caughtBy: {
      file: 'packages/core/src/task-group.test.ts',
      title: 'failing > a cancellation from elsewhere is an error, and says where it comes from',
      why: 'In Trio nobody can await what another task has begun.',
    },
  },
  {
    id: 'former-cancellation',
    breaks:
      'A cancellation on its way counts as stray when the scope that it came from has been left meanwhile.',
    file: 'packages/core/src/scope-exit.ts',
    text: 'cancelled === undefined || cancelled === scope.extras?.formerCancellation',
    instead: 'cancelled === undefined',
    caughtBy: {
      file: 'packages/core/src/escapes.test.ts',
      title:
        'work that outlives its scope is adopted by the nearest open scope around > a task group that was cancelled just before, which is no stray cancellation',
      why: 'In Trio nothing outlives its scope.',
    },
  },
  {
    id: 'left-behind',
    breaks: 'What is pending when its scope is left belongs to no scope any more.',
    file: 'packages/core/src/scope-tree.ts',
    text: 'member.bequeath(heir, this);',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/escapes.test.ts',
      title:
        'work that outlives its scope is adopted by the nearest open scope around > is cancelled at once when that scope is cancelled',
      why: 'In Trio nothing outlives its scope.',
    },
  },
  {
    id: 'listener-left',
    breaks: 'A wait leaves its listener at a foreign signal.',
    file: 'packages/core/src/signal-link.ts',
    text: "this.#signal.removeEventListener('abort', known.listener);",
    instead: '',
    caughtBy: {
      file: 'packages/core/src/signal-link.test.ts',
      title: 'any number of links to a foreign signal share one listener, which goes with the last of them',
      why: 'Trio has no signals.',
    },
  },
  {
    id: 'work-not-told',
    breaks: 'Work that is let go is not told to stop.',
    file: 'packages/core/src/foreign.ts',
    text: 'return (cancelled: Cancelled) => controller.abort(cancelled);',
    instead: 'return () => {};',
    caughtBy: {
      file: 'packages/core/src/foreign.test.ts',
      title: 'abandonOnCancel > tells work that it began itself to stop, with the cancellation as the reason',
      why: 'The programs do no foreign work.',
    },
  },

  // Time
  {
    id: 'deadline-at-entry',
    breaks: 'A deadline that has come when its scope is entered does not count yet.',
    file: 'packages/core/src/scope-tree.ts',
    text: 'if (dueAt <= (now ??',
    instead: 'if (dueAt < (now ??',
    caughtBy: 'traces',
  },
  {
    id: 'deadline-not-moved',
    breaks: 'A deadline that is set while the scope runs has no effect.',
    file: 'packages/core/src/scope-tree.ts',
    text: "if (this.state === 'open') this.watchDeadline(extras, undefined);",
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'latest-first',
    breaks: 'Of several deadlines the latest is served first.',
    file: 'packages/core/src/deadlines.ts',
    text: 'return time < otherTime ||',
    instead: 'return time > otherTime ||',
    caughtBy: 'traces',
  },
  {
    id: 'same-time-reversed',
    breaks: 'Deadlines of the same time are served in the wrong order.',
    file: 'packages/core/src/deadlines.ts',
    text: 'this.#orders[index]! < this.#orders[other]!',
    instead: 'this.#orders[index]! > this.#orders[other]!',
    caughtBy: {
      file: 'packages/core/src/deadlines.test.ts',
      title: 'serving > entries for the same time are served in the order in which they were added',
      why: 'Trio leaves that order open, so no trace depends on it.',
    },
  },
  {
    id: 'timer-left',
    breaks: 'A sleep that is cancelled leaves its timer behind.',
    file: 'packages/core/src/sleep.ts',
    text: 'if (this.heapIndex >= 0) this.scope.context.deadlines.remove(this);',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/sleep.test.ts',
      title: 'sleep > cancelled, it leaves no timer of the platform behind',
      why: 'A timer that wakes nobody leaves nothing in a trace.',
    },
  },
  {
    id: 'no-timeout-error',
    breaks: 'A time limit that should fail moves on instead.',
    file: 'packages/core/src/timeouts.ts',
    text: 'throw new TimeoutError(`',
    instead: 'void new TimeoutError(`',
    caughtBy: 'traces',
  },
  {
    id: 'timeout-error-for-cancel',
    breaks: 'A time limit fails with a TimeoutError when somebody called cancel().',
    file: 'packages/core/src/timeouts.ts',
    text: "if (!(cause instanceof Cancelled) || cause.source !== 'deadline') return;",
    instead: '',
    caughtBy: {
      file: 'packages/core/src/timeouts.test.ts',
      title: '%s > is no TimeoutError when its own cancel() came first: the result is undefined',
      why: 'The rule is AnyIO’s. Trio has another one, so no program has the case.',
    },
  },
  {
    id: 'deadline-through-shield',
    breaks: 'The effective deadline looks beyond a shield.',
    file: 'packages/core/src/timeouts.ts',
    text: 'scope = scope.shield ? undefined : scope.owner',
    instead: 'scope = scope.owner',
    caughtBy: 'traces',
  },
  {
    id: 'cleanup-without-limit',
    breaks: 'A cleanup may take for ever.',
    file: 'packages/core/src/cleanup.ts',
    text: "timeout: grace('cleanup()', options), ",
    instead: '',
    caughtBy: {
      file: 'packages/core/src/cleanup.test.ts',
      title: 'cleanup > tasks that it begins are sheltered as well, and cut off with it',
      why: 'Trio has no such function.',
    },
  },
  {
    id: 'budget-unlimited',
    breaks: 'Operations that complete at once never let the event loop turn.',
    file: 'packages/core/src/turn.ts',
    text: '|| look(kind)',
    instead: '|| true',
    caughtBy: {
      file: 'packages/core/src/turn.test.ts',
      title: 'what was put off resumes together > while operations are put off, all that follow are as well',
      why: 'The clock of the programs stands still, so nothing in them can starve.',
    },
  },

  // Tasks and groups
  {
    id: 'group-not-waiting',
    breaks: 'A group does not wait for its children.',
    file: 'packages/core/src/task-group.ts',
    text: 'this.#running > 0 || this.#isLeft',
    instead: 'this.#isLeft',
    caughtBy: 'traces',
  },
  {
    id: 'siblings-not-cancelled',
    breaks: 'A task that fails does not cancel the others of its group.',
    file: 'packages/core/src/task-group.ts',
    text: "else this.scope.cancel('task-failure', error);",
    instead: 'else {}',
    caughtBy: 'traces',
  },
  {
    id: 'second-error-dropped',
    breaks: 'A group throws its first error only.',
    file: 'packages/core/src/task-group.ts',
    text: '(this.#errors ??= []).push(error);',
    instead: 'this.#errors ??= [error];',
    caughtBy: 'traces',
  },
  {
    id: 'single-error-bare',
    breaks: 'A group throws a single error as it is.',
    file: 'packages/core/src/task-group.ts',
    text: '? createTaskGroupError(scope.name, errors)',
    instead: '? errors[0]',
    caughtBy: 'traces',
  },
  {
    id: 'leaving-cancels',
    breaks: 'Leaving a group is a cancellation point.',
    file: 'packages/core/src/task-group.ts',
    text: 'this.#errors === undefined && !this.#wasCancelled',
    instead: 'this.#errors === undefined && this.scope.cancellation === undefined',
    caughtBy: 'traces',
  },
  {
    id: 'caught-beside-errors',
    breaks: 'A group that caught a cancellation beside errors does not say so.',
    file: 'packages/core/src/task-group.ts',
    text: 'if (this.#wasCancelled && scope.catches()) scope.withExtras().caught = true;',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/task-group.test.ts',
      title:
        'cancelling > cancelledCaught stays false when there were only errors, and is true when there were both',
      why: 'Of a scope that is left with errors, a trace does not say whether it caught a cancellation.',
    },
  },
  {
    id: 'services-end-first',
    breaks: 'Services are cancelled together with those whom they serve.',
    file: 'packages/core/src/task-group.ts',
    text: 'this.#scope.shield = true;',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/task-group.test.ts',
      title: 'services > on cancellation of the group, ordinary work ends first and can still use them',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'synchronous-begin',
    breaks: 'A task begins within startSoon().',
    file: 'packages/core/src/task.ts',
    text: 'void ready.then(() => this.run(fn, args));',
    instead: 'void ready;\n    this.run(fn, args);',
    caughtBy: {
      file: 'packages/core/src/task-group.test.ts',
      title: 'starting > is never synchronous, and first come first served',
      why: 'A trace has no order between tasks.',
    },
  },
  {
    id: 'joiners-not-woken',
    breaks: 'Who waits for the end of a task is not woken.',
    file: 'packages/core/src/task.ts',
    text: 'this.#joiners?.unparkAll();',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/task.test.ts',
      title: 'a task that finishes > is pending first, then finished, and has a return value',
      why: 'A Trio task cannot be waited for.',
    },
  },
  {
    id: 'start-in-group',
    breaks: 'A task that is being started belongs to the group from the beginning.',
    file: 'packages/core/src/task-group.ts',
    text: "const parent = currentScopeNode('TaskGroup.start()');",
    instead: 'const parent = this.scope;',
    caughtBy: 'traces',
  },
  {
    id: 'started-not-handing-on',
    breaks: 'A task that has called started() stays in the scope of the one who started it.',
    file: 'packages/core/src/start.ts',
    text: 'task.scope.moveTo(this.#group.scope);',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'started-while-cancelled',
    breaks: 'A task moves into the group although the one who starts it is cancelled.',
    file: 'packages/core/src/start.ts',
    text: 'if (task.scope.owner!.cancellation !== undefined) return;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'losers-go-on',
    breaks: 'When a race is won, the losers go on.',
    file: 'packages/core/src/race.ts',
    text: "scopeOf(tg).end('the race was won');",
    instead: '',
    caughtBy: {
      file: 'packages/core/src/race.test.ts',
      title: 'race > the first to end wins, the others are cancelled and awaited',
      why: 'Trio has nothing of the kind.',
    },
  },

  // Errors
  {
    id: 'nesting-lost',
    breaks: 'Filtering a group of errors takes inner groups apart.',
    file: 'packages/core/src/error-groups.ts',
    text: 'if (result !== undefined) outer.kept.push(result);',
    instead: 'if (result !== undefined) outer.kept.push(...result.errors);',
    caughtBy: 'traces',
  },
  {
    id: 'rest-dropped',
    breaks: 'What no handler of catchErrors() takes is dropped.',
    file: 'packages/core/src/error-groups.ts',
    text: 'if (rest !== undefined) throw rest;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'handler-error-dropped',
    breaks: 'What a handler of catchErrors() throws is dropped.',
    file: 'packages/core/src/error-groups.ts',
    text: 'thrown.push(raised);',
    instead: '',
    caughtBy: {
      file: 'packages/core/src/error-groups.test.ts',
      title: 'catchErrors > what handlers throw is combined with what nobody took',
      why: 'No program fails in a handler.',
    },
  },

  // Synchronisation
  {
    id: 'lifo',
    breaks: 'Who has waited shortest is served first.',
    file: 'packages/core/src/wait-queue.ts',
    text: 'if (first === undefined) return undefined;',
    instead:
      'const last = this.#last;\n    if (last !== undefined) this.remove(last);\n    if (last !== first || first === undefined) return last;',
    caughtBy: 'traces',
  },
  {
    id: 'event-wakes-one',
    breaks: 'An event that is set wakes one of those who wait.',
    file: 'packages/sync/src/event.ts',
    text: 'next !== undefined; next = this.#queue.shift()) next.resolve();',
    instead: 'next !== undefined; next = undefined) next.resolve();',
    caughtBy: 'traces',
  },
  {
    id: 'hand-over-skipped',
    breaks: 'The next owner of a lock is not woken.',
    file: 'packages/sync/src/lock.ts',
    text: 'next?.resolve(next.data);',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'foreign-release',
    breaks: 'A task may release the lock of another.',
    file: 'packages/sync/src/lock.ts',
    text: 'owner !== task && !isNobody(owner) && !isNobody(task)',
    instead: 'false',
    caughtBy: 'traces',
  },
  {
    id: 'dead-owner',
    breaks: 'A lock whose owner has ended is waited for in vain.',
    file: 'packages/sync/src/lock.ts',
    text: 'new ExitWatch(() => this.#break())',
    instead: 'new ExitWatch(() => {})',
    caughtBy: 'traces',
  },
  {
    id: 'not-reentrant',
    breaks: 'A reentrant lock is free after one release, however often it was acquired.',
    file: 'packages/sync/src/lock.ts',
    text: 'tenant.depth++;',
    instead: '',
    caughtBy: {
      file: 'packages/sync/src/reentrant-lock.test.ts',
      title: 'a reentrant lock > goes to the next only when it is free',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'unit-lost',
    breaks: 'What is given back to a semaphore is lost.',
    file: 'packages/sync/src/semaphore.ts',
    text: 'this.#value++;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'unit-doubled',
    breaks: 'What is handed over by a semaphore is put back as well.',
    file: 'packages/sync/src/semaphore.ts',
    text: 'next.resolve(new Unit(this));',
    instead: 'next.resolve(new Unit(this));\n      this.#value++;',
    caughtBy: 'traces',
  },
  {
    id: 'one-let-in',
    breaks: 'A limiter whose total grows lets in one of those who wait.',
    file: 'packages/sync/src/capacity-limiter.ts',
    text: 'while (this.#borrowedTokens < this.#totalTokens) {',
    instead: 'if (this.#borrowedTokens < this.#totalTokens) {',
    caughtBy: 'traces',
  },
  {
    id: 'token-not-returned',
    breaks: 'A limiter gives a token to a wait that was cancelled.',
    file: 'packages/sync/src/capacity-limiter.ts',
    text: ' leave();',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'borrower-left',
    breaks: 'A borrower whose wait was cancelled counts as waiting for ever.',
    file: 'packages/sync/src/capacity-limiter.ts',
    text: ' leave();',
    instead: ' leave();\n          return;',
    caughtBy: {
      file: 'packages/sync/src/capacity-limiter.test.ts',
      title: 'a capacity limiter > a borrower who waited and was cancelled may come again at once',
      why: 'No program has a borrower come again after that.',
    },
  },
  {
    id: 'wait-without-lock',
    breaks: 'A wait for a condition that is cancelled goes on without the lock.',
    file: 'packages/sync/src/condition.ts',
    text: 'return this.#access.acquireAs(tenant, scope);',
    instead: 'return scope;',
    caughtBy: 'traces',
  },
  {
    id: 'stray-wake-up',
    breaks: 'A condition notifies one more than it is told.',
    file: 'packages/sync/src/condition.ts',
    text: 'left > 0 &&',
    instead: 'left >= 0 &&',
    caughtBy: 'traces',
  },
  {
    id: 'notification-lost',
    breaks: 'The notification of a wait that is cancelled is lost.',
    file: 'packages/sync/src/condition.ts',
    text: 'if (tenant.isNotified) this.#notifyNext();',
    instead: '',
    caughtBy: {
      file: 'packages/sync/src/condition.test.ts',
      title: 'a wait that is cancelled > after it was notified hands the notification on',
      why: 'The rule is AnyIO’s. In Trio the notification is lost, so no program has the case.',
    },
  },
  {
    id: 'guard-open',
    breaks: 'A resource guard lets everybody in.',
    file: 'packages/sync/src/resource-guard.ts',
    text: 'if (this.#isUsed) throw',
    instead: 'if (false) throw',
    caughtBy: {
      file: 'packages/sync/src/resource-guard.test.ts',
      title: 'a resource guard > lets one in at a time, and says what is being done',
      why: 'The programs have no resources to guard.',
    },
  },

  // Streams
  {
    id: 'one-too-many',
    breaks: 'A buffer takes one item more than it should; a rendezvous takes one.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'return this.buffer.size + this.reserved < this.max',
    instead: 'return this.buffer.size + this.reserved <= this.max',
    caughtBy: 'traces',
  },
  {
    id: 'sender-not-admitted',
    breaks: 'The place that a receiver frees is not given to the sender that waits.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'const item = this.buffer.shift() as T;',
    instead: 'return this.buffer.shift() as T;',
    caughtBy: 'traces',
  },
  {
    id: 'item-overlooked',
    breaks: 'What is in a buffer is not there for those who receive.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'if (this.buffer.size > 0) return true;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'clone-ends-stream',
    breaks: 'A stream ends when one of several sending ends is closed.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'if (channel.sendEnds > 0) return;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'clone-ends-waits',
    breaks: 'Closing an end ends the waits on its clones.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'if (entry.data.end !== end) continue;',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'senders-not-told',
    breaks: 'Who waits to send does not hear that nobody is left to receive.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'next.reject(broken());',
    instead: '',
    caughtBy: 'traces',
  },
  {
    id: 'place-given-away',
    breaks: 'The place that is kept for a permit is given to others.',
    file: 'packages/streams/src/memory-object-stream.ts',
    text: 'return this.buffer.size + this.reserved < this.max',
    instead: 'return this.buffer.size < this.max',
    caughtBy: {
      file: 'packages/streams/src/memory-object-stream.test.ts',
      title: 'reserve() > keeps a place, which nobody else can take',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'ring-shuffled',
    breaks: 'A buffer that grows mixes up its items.',
    file: 'packages/streams/src/buffer.ts',
    text: 'this.#ring.slice(this.#first).concat(this.#ring.slice(0, this.#first))',
    instead: 'this.#ring.slice(0)',
    caughtBy: {
      file: 'packages/streams/src/buffer.test.ts',
      title: 'a buffer > grows while it begins in the middle of its ring',
      why: 'No program has that many items in a buffer.',
    },
  },
  {
    id: 'filter-forgotten',
    breaks: 'A subscription gets what its filter does not let pass.',
    file: 'packages/streams/src/message-router.ts',
    text: 'if (!subscriber.filter(message)) continue;',
    instead: '',
    caughtBy: {
      file: 'packages/streams/src/message-router.test.ts',
      title: 'publishing > passes only what the filter wants, with its type',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'still-subscribed',
    breaks: 'A subscription that is closed stays with its router.',
    file: 'packages/streams/src/message-router.ts',
    text: '() => this.#subscribers.delete(subscriber),',
    instead: '() => {},',
    caughtBy: {
      file: 'packages/streams/src/message-router.test.ts',
      title: 'closing > a subscription unsubscribes, drops its buffer, and refuses to be used',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'publisher-not-waiting',
    breaks: 'A publisher does not wait for a subscription that asks for it.',
    file: 'packages/streams/src/message-router.ts',
    text: '(full ??= []).push(subscriber);',
    instead: '',
    caughtBy: {
      file: 'packages/streams/src/message-router.test.ts',
      title:
        'a full subscription > makes the publisher wait where it is asked to, after everybody else has been served',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'loser-keeps-waiting',
    breaks: 'A case of select() that did not happen goes on waiting.',
    file: 'packages/streams/src/select.ts',
    text: 'if (other !== key) leave();',
    instead: '',
    caughtBy: {
      file: 'packages/streams/src/select.test.ts',
      title: 'exactly one case happens > when it had to wait, and the others leave no trace',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'first-case-preferred',
    breaks: 'Of several cases that are ready, select() always takes the first.',
    file: 'packages/streams/src/select.ts',
    text: 'return Math.floor((place / 2 ** 32) * count);',
    instead: 'return 0 * count;',
    caughtBy: {
      file: 'packages/streams/src/select.test.ts',
      title: 'no case is starved > when several tasks take turns',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'change-missed',
    breaks: 'A change of a watched value before the wait for it is missed.',
    file: 'packages/streams/src/watch.ts',
    text: 'if (this.#seen !== state.version) return completed(this.#see());',
    instead: '',
    caughtBy: {
      file: 'packages/streams/src/watch.test.ts',
      title:
        'changed() > does not wait when there was a change that was not seen, and is a checkpoint all the same',
      why: 'Trio has nothing of the kind.',
    },
  },
  {
    id: 'producer-goes-on',
    breaks: 'A producer whose consumer has left goes on.',
    file: 'packages/streams/src/from-async-iterable.ts',
    text: "for (const scope of scopes) scope.cancel('the consumer has left');",
    instead: '',
    caughtBy: {
      file: 'packages/streams/src/from-async-iterable.test.ts',
      title: 'produce() > cancels the producer when the consumer leaves, and awaits its end',
      why: 'No program uses what Trio has for that, `as_safe_channel`.',
    },
  },
];
