/**
 * Mutants of locks that are made of others.
 */
import type { Mutant } from './mutant.ts'

const MULTI = 'recipes/locks/multi-lock.ts'
const JOINT = 'recipes/engine/joint-lease.ts'
const REVOCATION = 'recipes/engine/revocation.ts'
const REVOCATION_TEST = 'test/recipes/locks/revocation.test.ts'
const OWNED_TEST = 'test/backends/zookeeper/owned-nodes-memory.test.ts'
const EXCLUSIVE_TEST = 'test/recipes/locks/revocation-without-queue.test.ts'

export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'multi-lock-order-as-given',
    breaks: 'A multi-lock acquires its locks in the order in which they were given.',
    kin: 'Curator InterProcessMultiLock, whose order is that of its arguments',
    edits: [{
      file: MULTI,
      from: 'places.sort((a, b) => (a.fullPath < b.fullPath ? -1 : 1))',
      to: 'void places',
    }],
    expected: { test: 'test/sim/multi-lock-scope.test.ts', named: 'never wait for each other, whenever they come' },
  },
  {
    name: 'lost-part-not-told',
    breaks: 'A joint lease does not hear of the loss of its last part.',
    kin: 'a holder of two locks that is told of the loss of one',
    edits: [{
      file: JOINT,
      from: 'this.#unlisten = parts.map(',
      to: 'this.#unlisten = parts.slice(0, -1).map(',
    }],
    expected: {
      test: 'test/recipes/locks/multi-lock.test.ts',
      named: 'is lost with any of its parts, and releases the others',
    },
  },
  {
    name: 'revocation-by-path',
    breaks: 'A request to give up is written to whatever is at the path by then.',
    kin: 'Curator Revoker, whose setData has no version',
    edits: [{
      file: REVOCATION,
      from: 'await client.multi([checkIdentity({ path, czxid }), request], { signal })',
      to: 'void czxid; await client.multi([request], { signal })',
    }],
    expected: { test: REVOCATION_TEST, named: 'the node is compared at the instant of the request' },
  },
  {
    name: 'request-to-waiter-missed',
    breaks: 'A contender does not look at its data when it arms the watch on its node.',
    kin: 'Curator LockInternals.checkRevocableWatcher, which looks at changes alone',
    edits: [{
      file: 'recipes/engine/contenders.ts',
      from: 'revocation?.see(read)',
      to: 'void revocation',
    }],
    expected: { test: REVOCATION_TEST, named: 'one who waits can be asked, and hears it when it holds' },
  },
  {
    name: 'own-data-taken-for-request',
    breaks: 'What a contender says of itself is taken for a request, if it reads like one.',
    kin: 'data of callers that share a node with words of a protocol',
    edits: [{
      file: REVOCATION,
      from: '  #version = 0',
      to: '  #version = -1',
    }],
    expected: { test: REVOCATION_TEST, named: 'is a request, and other data are none' },
  },
  {
    name: 'revoke-not-synced',
    breaks: 'Who is to be asked is looked up on a server that may be behind.',
    kin: 'ours: a request that found nobody, of a client whose server had not heard of the holder yet',
    edits: [{
      file: 'recipes/engine/contenders.ts',
      from: 'await this.#client.sync(this.path, { signal })',
      to: 'void 0',
    }],
    expected: { test: REVOCATION_TEST, named: 'who holds by now is asked also through a server that is behind' },
  },
  {
    name: 'waiters-asked-too',
    breaks: 'A request to all who hold reaches those who wait as well.',
    kin: 'an interrupt of a whole group that was meant for its head',
    edits: [{
      file: 'recipes/engine/contenders.ts',
      from: 'queue.filter(({ holds }) => holds)',
      to: 'queue',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'request-to-holder-missed',
    breaks: 'A holder looks whether its node is there, and not at what was written to it.',
    kin: 'holders that watch for the end of their nodes alone',
    edits: [{
      file: 'recipes/engine/ownership.ts',
      from: '!this.#ended && read.stat.czxid === czxid',
      to: 'Object.is(read, null)',
    }],
    workload: 'locks',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'lease-unwatched',
    breaks: 'A lease that was given out at first sight believes that its node is watched already.',
    kin: 'ours: what had been done before the lease was left to the lease',
    edits: [{
      file: 'recipes/engine/contenders.ts',
      from: 'isArmed: isOwnThere !== null',
      to: 'isArmed: true',
    }],
    workload: 'locks',
    profile: 'operators',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 1 },
  },
  {
    name: 'request-takes-mark',
    breaks: 'A request to the holder of an exclusive lock takes the mark of the attempt off its node.',
    kin: 'ours: an attempt that was asked before the answer to its create, and took its own node for another\'s',
    edits: [{
      file: 'recipes/locks/exclusive-lock.ts',
      from: ', wait, () => mark)',
      to: ', wait)',
    }],
    expected: { test: EXCLUSIVE_TEST, named: 'hears a request that came before the answer to its create' },
  },
  {
    name: 'whoever-holds-asked',
    breaks: 'A request to one holder of an exclusive lock reaches whoever has come after it.',
    kin: 'an interrupt that meets the next process of the same number',
    edits: [{
      file: 'recipes/locks/exclusive-lock.ts',
      from: 'one !== null && found.stat.czxid !== one.czxid',
      to: 'Object.is(one, undefined)',
    }],
    expected: { test: EXCLUSIVE_TEST, named: 'only if it is the one that is meant' },
  },
  {
    name: 'bid-asked-too',
    breaks: 'A request to those who hold permits reaches the first in line, whose nodes stand beside theirs.',
    kin: 'ours: Semaphore.revoke() asked the bid of the first in line, too',
    edits: [{
      file: 'recipes/locks/semaphore.ts',
      from: '(nodes, signal) => this.#withoutBid(nodes, { signal })',
      to: '(nodes) => nodes',
    }],
    expected: { test: REVOCATION_TEST, named: 'asks those who hold and not the first in line' },
  },
  {
    name: 'waiter-unwatched',
    breaks: 'A contender that waits believes that its node is there, and watched.',
    kin: 'Curator LockInternals, which hears of its own node by the next list',
    edits: [{
      file: 'recipes/engine/contenders.ts',
      from: 'isOwnThere ??= this.#watchOwnFrom(round, entrant, wait)',
      to: 'isOwnThere ??= Promise.resolve(true)',
    }],
    expected: {
      test: 'test/recipes/locks/fair-lock.test.ts',
      named: 'queues again at the end when somebody deletes the node of a waiter',
    },
  },
  {
    name: 'count-not-asked',
    breaks: 'On ZooKeeper a node that the session has made is deleted without a look and without its parent\'s count.',
    kin: 'Curator, whose release deletes whatever is at the path',
    edits: [{
      file: 'backends/zookeeper/owned-nodes.ts',
      from: 'counts.set(parent, count)',
      to: 'void count',
    }],
    expected: { test: OWNED_TEST, named: 'leaves alone what anybody has put in the place' },
  },
  {
    name: 'unwatched-node-known',
    breaks: 'On ZooKeeper a node that nobody watches is not looked at before it is deleted.',
    kin: 'ours: what was known of a node once, taken for what is known of it now',
    edits: [{
      file: 'backends/zookeeper/owned-nodes.ts',
      from: "watch !== 'stands' ||",
      to: "watch === 'never' ||",
    }],
    expected: { test: OWNED_TEST, named: 'is looked at where others create beside it, with watch' },
  },
]
