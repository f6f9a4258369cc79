/**
 * Mutants of clients and recipes.
 */
import type { Mutant } from './mutant.ts'

const CALLS = 'backends/client/calls.ts'
const CLIENT = 'core/kept-client.ts'
const LEASE_RULE = 'core/session/lease-rule.ts'
const CONNECTION = 'backends/client/connection.ts'
const CONTENDERS = 'recipes/engine/contenders.ts'
const EXCLUSIVE = 'recipes/locks/exclusive-lock.ts'
const FAIR = 'recipes/locks/fair-lock.ts'
const READ_WRITE = 'recipes/locks/read-write-lock.ts'
const PERMITS = 'recipes/locks/permit-bid.ts'
const VIEW = 'recipes/engine/queue-view.ts'
const FEED = 'recipes/engine/feed.ts'
const PROTECTED = 'recipes/engine/protected-writes.ts'
const LEASE = 'recipes/engine/lease.ts'
const CLAIM = 'recipes/engine/node-claim.ts'
const MIRROR = 'recipes/engine/mirror.ts'
const RECORDS = 'recipes/config/record-keeper.ts'
const ROUND = 'recipes/engine/round.ts'
const SESSION = 'backends/client/session.ts'
const IDENTITY = 'backends/client/identity.ts'
const OWNERSHIP = 'recipes/engine/ownership.ts'

/** A check that any node at the path passes. */
const NO_IDENTITY = "{ type: 'check', path, version: -1 }"

export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'unknown-write-repeated',
    breaks: 'The client repeats a write of which it is not known whether it was done.',
    kin: 'every "retry on connection loss"',
    edits: [{
      file: CLIENT,
      from: "isCoordinationError(error, 'CONNECTION_LOSS') && error.outcome === 'not-sent'",
      to: "isCoordinationError(error, 'CONNECTION_LOSS')",
    }],
    profile: 'churn',
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 2 },
  },
  {
    name: 'unknown-called-not-sent',
    breaks: 'A write that was sent and has no answer is said not to have been sent.',
    kin: 'false certainty',
    edits: [{ file: CALLS, from: "sent && this.isWrite ? 'unknown' : outcome", to: 'outcome' }],
    profile: 'churn',
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'reads-renew-the-lease',
    breaks: 'A lease is renewed by reads, which any server answers alone.',
    kin: 'Curator and kazoo; decision 0003',
    edits: [{ file: CALLS, from: 'this.isWrite || this.request.op === OpCode.sync', to: 'true' }],
    profile: 'partition',
    workload: 'locks',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 100 },
  },
  {
    name: 'lease-outlives-session',
    breaks: 'The local deadline of a lease lies behind the end of the session on the servers.',
    kin: 'CURATOR-206, redlock',
    edits: [{ file: LEASE_RULE, from: 'const LEASE_PART = 2 / 3', to: 'const LEASE_PART = 3 / 2' }],
    profile: 'recipes',
    workload: 'locks',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 0 },
  },
  {
    name: 'seen-zxid-forgotten',
    breaks: 'A client does not remember how much it has seen.',
    kin: 'the single system image of ZooKeeper, left out',
    edits: [{ file: IDENTITY, from: 'if (zxid > this.#lastZxidSeen)', to: 'if (false)' }],
    profile: 'pause',
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
  {
    name: 'watches-not-rearmed',
    breaks: 'A client that comes to another server does not arm its watches there.',
    kin: 'ZOOKEEPER-23',
    edits: [{ file: SESSION, from: 'of this.#watches.toRearm())', to: 'of [])' }],
    profile: 'churn',
    workload: 'raw',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'stale-event-accepted',
    breaks: 'A session takes events of a connection that it has left.',
    kin: 'late callbacks of an earlier epoch',
    edits: [
      {
        file: SESSION,
        from: '#onEvent(connection, type, path) {\n        if (connection !== this.#connection)',
        to: '#onEvent(connection, type, path) {\n        if (false)',
      },
      {
        file: CONNECTION,
        from: 'onMessage(message) {\n        if (this.#lost)',
        to: "onMessage(message) {\n        if (this.#lost && message.kind !== 'event')",
      },
    ],
    expected: {
      because: 'Nothing comes out of a channel that was closed, and what came before waits in the same queue as the '
        + 'loss of the connection, in order. So an event of a connection that was left is never heard, and each '
        + 'guard is enough by itself.',
    },
  },
  {
    name: 'stale-session-heard',
    breaks: 'A client listens to a session that it has replaced or closed.',
    kin: 'CURATOR-36: a second opinion about the state of the connection',
    edits: [{
      file: 'core/session-keeper.ts',
      from: 'session !== this.#session || state === this.#told',
      to: 'state === this.#told',
    }],
    profile: 'churn',
    expected: { test: 'test/core/client-session-life.test.ts', named: 'is idempotent, tells its state' },
  },
  {
    name: 'session-not-given-up',
    breaks: 'A client goes on with a session forever, however long no server answers.',
    kin: 'ZOOKEEPER-4508',
    edits: [{ file: LEASE_RULE, from: 'const EXPIRY_PART = 4 / 3', to: 'const EXPIRY_PART = 4000' }],
    expected: { test: 'test/backends/client/session-liveness.test.ts', named: 'by the local clock at 4/3' },
  },
  {
    name: 'lock-create-repeated',
    breaks: 'A contender creates another node when the answer to the first create is lost.',
    kin: 'Curator before protected creates (CURATOR-45)',
    edits: [{
      file: PROTECTED,
      from: 'await wait.insist(() => findOwn(client, search, wait.signal))',
      to: 'null',
    }],
    profile: 'recipes',
    workload: 'locks',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 4 },
  },
  {
    name: 'node-adopted-by-name-alone',
    breaks: 'A node with the right name is taken for our own, whichever session owns it.',
    kin: 'CURATOR-498, CURATOR-604',
    edits: [{ file: PROTECTED, from: 'stat.ephemeralOwner === client.sessionId', to: 'true' }],
    profile: 'recipes',
    expected: {
      because: 'A node of an older session is told apart three more times before anybody relies on it: the wait is '
        + "bound to the node's session, a grant is proven by that session, and the ownership of a lease begins with "
        + 'it. Each ends in SESSION_EXPIRED, which is also what a waiter without the node would be told at any time.',
    },
  },
  {
    name: 'node-swept-by-name-alone',
    breaks: 'A node with the right name is deleted as what is left of our own, whichever session owns it.',
    kin: 'an operator of ours who had put a node back, and lost it to the contender that it had belonged to',
    edits: [{ file: PROTECTED, from: 'this.#sessionIds.has(stat.ephemeralOwner)', to: 'stat.ephemeralOwner !== 0n' }],
    profile: 'operators',
    workload: 'locks',
    expected: { seeds: 200, seedsWithoutAssertions: 200, likely: 26 },
  },
  {
    name: 'create-not-swept',
    breaks: 'What a create that was given up has made stays in the queue.',
    kin: 'CURATOR-79, kazoo#653',
    edits: [{ file: PROTECTED, from: 'await sweep(client, search, owed)', to: 'void 0' }],
    profile: 'recipes',
    workload: 'locks',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'all-watch-the-first',
    breaks: 'Every contender watches the holder instead of its predecessor.',
    kin: 'the herd effect of the ZooKeeper recipes page',
    edits: [{
      file: FAIR,
      from: 'const predecessor = queue[own - 1]',
      to: 'const predecessor = own === 0 ? undefined : queue[0]',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'predecessor-not-watched',
    breaks: 'A contender looks at its predecessor without a watch.',
    kin: 'a missed wake-up',
    edits: [{
      file: ROUND,
      from: 'read(path, { watch, signal: wait.signal })',
      to: 'read(path, { signal: wait.signal })',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 1 },
  },
  {
    name: 'fair-lock-granted-unproven',
    breaks: 'A fair lock is granted although the session may be over.',
    kin: 'redlock#296',
    edits: [{ file: CONTENDERS, from: '!(await proveLease(this.#client, node, wait))', to: 'false' }],
    profile: 'recipes',
    workload: 'locks',
    expected: { seeds: 300, likely: 2 },
  },
  {
    name: 'exclusive-lock-granted-unproven',
    breaks: 'An exclusive lock is granted although the session may be over.',
    kin: 'redlock#296',
    edits: [{ file: EXCLUSIVE, from: '!(await proveLease(this.#client, node, this.#wait))', to: 'false' }],
    profile: 'recipes',
    workload: 'locks',
    expected: { seeds: 300, likely: 1 },
  },
  {
    name: 'exclusive-lock-of-older-session',
    breaks: 'The node that an older session of ours left is taken for the lock.',
    kin: 'CURATOR-620',
    edits: [{
      file: EXCLUSIVE,
      from: 'found.stat.ephemeralOwner === this.#client.sessionId ? found.stat : null',
      to: 'found.stat',
    }],
    profile: 'recipes',
    expected: {
      because: 'A lease is made only of a node that the live session owns, which is looked at once more when it is '
        + 'made. What an older session left is then looked at again, found to be another holder, and waited for.',
    },
  },
  {
    name: 'reader-passes-one-writer',
    breaks: 'A reader looks at every writer before it but the one right before it.',
    kin: 'kazoo#649: a reader that looks at the wrong writers',
    edits: [{ file: READ_WRITE, from: 'return index < own &&', to: 'return index < own - 1 &&' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'heir-of-a-writer-not-seen',
    breaks: 'A writer takes it that nobody stands where the writer before it stood.',
    kin: 'CURATOR-276, CURATOR-621',
    edits: [{ file: VIEW, from: 'contender.leavesHeir === true', to: 'false' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'one-permit-too-many',
    breaks: 'A semaphore gives out one permit more than there are.',
    kin: 'kazoo#429, CURATOR-462',
    edits: [{ file: PERMITS, from: 'names.length <= limit', to: 'names.length <= limit + 1' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'permits-proven-too-early',
    breaks: 'Permits are proven before the place in the line is given back, which may take as long as a lease lasts.',
    kin: 'Kleppmann 2016: a client that pauses between the check of its lease and its use',
    edits: [
      { file: PERMITS, from: 'lease = await leaseOf(client, request, nodes, wait)', to: 'lease = won' },
      {
        file: PERMITS,
        from: 'await abortable(place.release(), wait.signal)',
        to: 'const won = await leaseOf(client, request, nodes, wait); await place.release()',
      },
    ],
    // A release has to last for as long as a lease, and others have to take its permits by then.
    expected: { test: 'test/recipes/locks/semaphore.test.ts', named: 'are given after 6300 ms without touch' },
  },
  {
    name: 'one-node-for-many-permits',
    breaks: 'Whoever takes several permits makes one node for them.',
    kin: 'a semaphore that counts holders instead of permits',
    edits: [{ file: PERMITS, from: 'Array.from({ length: permits }', to: 'Array.from({ length: 1 }' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'lease-signal-silent',
    breaks: 'The holder of a lock is not told that it is lost.',
    kin: 'locks of etcd and Redis that are held by whoever thinks so',
    edits: [{ file: OWNERSHIP, from: 'this.#controller.abort(new', to: 'void (new' }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'released-before-confirmed',
    breaks: 'A release resolves before the servers have confirmed it.',
    kin: 'CURATOR-678',
    edits: [{
      file: LEASE,
      from: 'await Cleanups.of(this.#client).run(deletion(',
      to: 'Cleanups.of(this.#client).run(deletion(',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
  {
    name: 'token-of-a-local-clock',
    breaks: 'The fencing token is a number of the holder, not of the servers.',
    kin: 'Redlock',
    edits: [{
      file: LEASE,
      from: 'this.token = options.token ?? node.czxid',
      to: 'this.token = BigInt(Math.trunc(performance.now()))',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'last-update-dropped',
    breaks: 'A subscriber that is slow keeps the older of two updates.',
    kin: 'etcd#17529',
    edits: [{ file: FEED, from: 'this.#waiting = { state, missed,', to: 'this.#waiting ??= { state, missed,' }],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'mirror-watches-once',
    breaks: 'A mirror reads what has changed without watching it again.',
    kin: 'a one-shot watch taken for a subscription',
    edits: [{
      file: 'recipes/engine/watched-read.ts',
      from: 'this.#isArmed = false;\n        this.#onEvent()',
      to: 'this.#onEvent()',
    }],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 2 },
  },
  {
    name: 'mirror-skips-resync',
    breaks: 'A mirror on a new session goes on as if its watches still stood.',
    kin: 'CURATOR-525',
    edits: [{ file: MIRROR, from: 'isNew || !wasInTouch', to: 'false' }],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'mirror-list-forgotten',
    breaks: 'A mirror that hears of no list, and then of the node, does not ask for the list again.',
    kin: 'a reader of ours that stayed blind when its group had been empty for a moment, once in 1,208 turns',
    edits: [
      { file: MIRROR, from: 'this.#markUnwatched(tracked)', to: 'void 0' },
      { file: MIRROR, from: 'data.isArmed && tracked.node !== null', to: 'false' },
    ],
    profile: 'ebb',
    workload: 'membership',
    servers: 1,
    clients: 7,
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 4 },
  },
  {
    name: 'mirror-list-forgotten-behind-node',
    breaks: 'A mirror that has heard of no list does not ask for it again when it hears of the node.',
    kin: 'one half of what mended that reader',
    edits: [{ file: MIRROR, from: 'this.#markUnwatched(tracked)', to: 'void 0' }],
    expected: { test: 'test/recipes/engine/mirror.test.ts', named: 'follows a root that is gone and back' },
  },
  {
    name: 'mirror-list-forgotten-before-node',
    breaks: 'A mirror that has heard of the node does not ask for the list again when it hears that there was none.',
    kin: 'the other half of it',
    edits: [{ file: MIRROR, from: 'data.isArmed && tracked.node !== null', to: 'false' }],
    // Every client of ours settles reads in the order of their answers; others need not.
    expected: { test: 'test/recipes/engine/mirror.test.ts', named: 'hears of the root before it hears of no list' },
  },
  {
    name: 'version-named-alone',
    breaks: 'A version that a publisher names is that of any node, also of one that was made again.',
    kin: 'an update of ours that was lost when an operator had put a value back',
    edits: [{
      file: 'recipes/config/config-store.ts',
      from: 'entry?.version === version ? this.#nodeOf(entry) : version',
      to: 'version',
    }],
    // It takes an operator who restores, another publisher, and one that is cut off while both are at work.
    expected: { test: 'test/recipes/config/config-center.test.ts', named: 'over a node made again with the version' },
  },
  {
    name: 'recorded-write-unchecked',
    breaks: 'A value is written with its entry over whatever others have published in between.',
    kin: 'Apollo 1677: a later publish overwrote what was there',
    edits: [
      { file: RECORDS, from: 'write.push(this.#check(value))', to: '' },
      { file: RECORDS, from: "{ type: 'set', path, data, version })", to: "{ type: 'set', path, data, version: -1 })" },
    ],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'recorded-write-forgotten',
    breaks: 'After a lost reply, a publisher does not know its own entry again.',
    kin: 'every "somebody else was quicker" that was the own write',
    edits: [{ file: RECORDS, from: 'found?.entry?.header.id === this.#id', to: 'false' }],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 30 },
  },
  {
    name: 'overtaken-write-in-force-again',
    breaks: 'A write that others had overtaken by the time it was found comes back into force at its publisher.',
    kin: 'etcd 15271: a watch that travels back in time',
    edits: [{ file: 'recipes/config/config-store.ts', from: 'isOvertaken === true', to: 'false' }],
    // It takes a lost answer, and another publisher before it is looked for, in a configuration with a history.
    expected: { test: 'test/recipes/config/config-history.test.ts', named: 'does not come back into force' },
  },
  {
    name: 'found-value-unrecorded',
    breaks: 'A value of a process that keeps no history is replaced, and never recorded.',
    kin: 'Nacos 12217: a history without some of the values that were in force',
    edits: [{ file: RECORDS, from: 'value !== null && !isRecorded(value.stat, head, stored.stat)', to: 'false' }],
    workload: 'config',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'release-by-path',
    breaks: 'A release deletes whatever node is at the path by then.',
    kin: "a late release of ours that deleted the next holder's node, on every engine",
    edits: [{ file: PROTECTED, from: "{ type: 'check', path, version: -1, czxid }", to: NO_IDENTITY }],
    workload: 'locks',
    profile: 'operators',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'member-by-path',
    breaks: 'A member updates and deletes whatever node is at its path by then.',
    kin: "an update of ours that stole another's id, 30 times of 30",
    edits: [{ file: PROTECTED, from: "{ type: 'check', path, version: -1, czxid }", to: NO_IDENTITY }],
    workload: 'membership',
    profile: 'operators',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 0 },
  },
  {
    name: 'signal-before-state',
    breaks: 'The signal of a lease fires while its state still says that it is held.',
    kin: 'a release within the listener of ours that was a whole one',
    edits: [
      { file: OWNERSHIP, from: 'this.#lost = true', to: 'void 0' },
      { file: OWNERSHIP, from: 'this.#onLost(reason)', to: '(this.#lost = true, this.#onLost(reason))' },
    ],
    workload: 'locks',
    profile: 'operators',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'released-by-closing',
    breaks: 'A lease counts as released when its client was closed before the servers confirmed it.',
    kin: 'CURATOR-678, at the end of a client',
    edits: [{
      file: LEASE,
      from: 'run(deletion(this.#client, this.#node)))',
      to: 'run(deletion(this.#client, this.#node)) || true)',
    }],
    // It takes a release whose answer is lost, at the end of a client that is cut off until it has closed.
    expected: { test: 'test/recipes/engine/lease.test.ts', named: 'nobody can confirm before the client closes' },
  },
  {
    name: 'event-taken-before-its-turn',
    breaks: 'A feed takes an event for a listener before it can call it, and calls it though it was ended in between.',
    kin: 'two listeners of one change of ours, of which one ended the other in vain',
    edits: [{
      file: FEED,
      from: 'const event = mailbox.take()',
      to: 'const event = await Promise.resolve(mailbox.take())',
    }],
    workload: 'membership',
    profile: 'operators',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'foreign-member-adopted',
    breaks: "A member takes another member's node for its own.",
    kin: 'CURATOR-506',
    edits: [{
      file: CLAIM,
      from: 'if (!isOwn(claimant, found))',
      to: 'if (false)',
    }],
    workload: 'membership',
    profile: 'recipes',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
]
