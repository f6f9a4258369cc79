/**
 * Mutants of what clients see of a server: requests, sessions, watches, reads.
 */
import type { Mutant } from './mutant.ts'

const CONNECTIONS = 'backends/embedded/server/clients/connections.ts'
const LEADING = 'backends/embedded/server/roles/leading.ts'
const LEADER_EXCHANGE = 'backends/embedded/server/clients/leader-exchange.ts'
const LOCAL_SESSIONS_TEST = 'test/backends/embedded/server/local-sessions.test.ts'
const OUTSTANDING = 'backends/embedded/server/writes/outstanding.ts'
const PREPARE = 'backends/embedded/server/writes/prepare.ts'
const QUORUM_ROUNDS = 'backends/embedded/server/zab/quorum-rounds.ts'
const SESSION_ENDS_TEST = 'test/backends/embedded/server/clients/session-ends.test.ts'
const SESSION_TABLE = 'backends/embedded/server/state/session-table.ts'
const SESSION_TRACKER = 'backends/embedded/server/writes/session-tracker.ts'
const SNAPSHOT = 'backends/embedded/server/state/snapshot.ts'
const SEQUENCER = 'backends/embedded/server/writes/sequencer.ts'
const SORTED_NAMES = 'backends/embedded/server/state/sorted-names.ts'
const TREE_IMAGE = 'backends/embedded/server/state/tree-image.ts'
const READ_ONLY_TEST = 'test/backends/embedded/server/read-only.test.ts'
const READS = 'backends/embedded/server/clients/reads.ts'
const REPLICA = 'backends/embedded/server/state/replica.ts'
const REQUEST_KINDS = 'backends/embedded/server/clients/request-kinds.ts'
const REQUEST_ORDER = 'backends/embedded/server/clients/request-order.ts'
const TURNED_AWAY = 'backends/embedded/server/writes/turned-away.ts'
const WATCH_TABLE = 'backends/embedded/server/clients/watch-table.ts'
const WATCHES = 'backends/embedded/server/clients/watches.ts'

export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    name: 'check-blind-to-creation',
    breaks: 'A check that names a creation goes by the version alone, which two nodes at one path have alike.',
    kin: 'compare-and-delete by version: what a late release did to the next holder, of ours',
    edits: [{ file: PREPARE, from: 'node.czxid !== czxid || ', to: '' }],
    workload: 'raw',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'client-travels-back',
    breaks: 'A server accepts a client that has seen more than the server has applied.',
    kin: 'the single system image of ZooKeeper, left out',
    edits: [{ file: CONNECTIONS, from: 'request.lastZxidSeen > this.#host.seenHere()', to: 'false' }],
    profile: 'pause',
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
  {
    name: 'read-only-proves-leases',
    breaks: 'A server without a majority says that it is one of ours, whose answers to pings prove leases.',
    kin: 'decision 0014',
    edits: [{ file: READS, from: 'path === OWN_SERVER && isConfirmed', to: 'path === OWN_SERVER' }],
    expected: { test: READ_ONLY_TEST, named: 'is not recognised as one of ours, whose answers to pings renew leases' },
  },
  {
    name: 'read-only-applies-its-log',
    breaks: 'What a server shows without a majority is applied to the state that its leader continues.',
    kin: 'ZooKeeper applies its whole log when it starts',
    edits: [{ file: REPLICA, from: 'const copy = State.of(reader)', to: 'const copy = this.#state' }],
    expected: { test: READ_ONLY_TEST, named: 'is its whole log after a restart, in a copy' },
  },
  {
    name: 'read-only-ends-sessions',
    breaks: 'A server without a majority says of a session of the ensemble that it is over.',
    kin: 'ReadOnlyZooKeeperServer of ZooKeeper, which says so of those that it does not know',
    edits: [{ file: CONNECTIONS, from: 'passwd === null || !isOfReadOnly(passwd)', to: 'passwd === null' }],
    expected: { test: READ_ONLY_TEST, named: 'turns a session of the ensemble away without a word' },
  },
  {
    name: 'ephemeral-on-local-session',
    breaks: 'A server does not ask for the beginning of a local session whose first ephemeral node is in a multi.',
    kin: 'checkUpgradeSession of QuorumZooKeeperServer.java, without its look into a multi',
    edits: [{ file: REQUEST_KINDS, from: `'flags' in body && isEphemeral(body.flags)`, to: 'false' }],
    expected: { test: LOCAL_SESSIONS_TEST, named: 'becomes one of the ensemble before its first ephemeral node' },
  },
  {
    name: 'upgrade-after-creation',
    breaks: 'The beginning of a local session is asked for after its first ephemeral node.',
    kin: 'QuorumZooKeeperServer.checkUpgradeSession of ZooKeeper, called too late',
    edits: [
      { file: CONNECTIONS, from: 'this.#attend(connection, message)', to: 'void 0' },
      {
        file: CONNECTIONS,
        from: 'this.#requests.receiveRequest(connection, message)',
        to: 'this.#requests.receiveRequest(connection, message), this.#attend(connection, message)',
      },
    ],
    profile: 'local-sessions',
    expected: { seeds: 10, seedsWithoutAssertions: 10, likely: 0 },
  },
  {
    name: 'local-session-outlives-its-end',
    breaks: 'A leader does what is on its way of a local session of which its client was told that it is over.',
    kin: 'ZooKeeper as it is: a client told that its session is over has its late writes done',
    edits: [{ file: SEQUENCER, from: 'this.#turnedAway?.add(sessionId, passwd)', to: 'void 0' }],
    profile: 'local-sessions',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 24 },
  },
  {
    name: 'local-session-of-others',
    breaks: 'A leader that remembers nobody whom it has turned away does what local sessions of other servers ask for.',
    kin: 'decision 0028',
    edits: [{ file: SEQUENCER, from: 'localPasswd) === false', to: 'localPasswd) !== true' }],
    expected: { test: LOCAL_SESSIONS_TEST, named: 'writes nothing and is never one of the ensemble' },
  },
  {
    name: 'upgrade-called-over',
    breaks: 'A leader says that a session is over whose beginning it has proposed.',
    kin: 'decision 0028',
    edits: [{ file: SEQUENCER, from: 'this.#tracker.has(sessionId)', to: 'false' }],
    expected: { test: LOCAL_SESSIONS_TEST, named: 'is not called over: who resumes it elsewhere waits until' },
  },
  {
    name: 'turned-away-by-id-alone',
    breaks: 'Who knows the id of a local session alone can end it.',
    kin: 'decision 0001',
    edits: [{
      file: TURNED_AWAY,
      from: "`${sessionId}:${Buffer.from(passwd).toString('base64')}`",
      to: '`${sessionId}:${passwd.length}`',
    }],
    expected: { test: LOCAL_SESSIONS_TEST, named: 'is not harmed by one who does not know its password' },
  },
  {
    name: 'end-told-unconfirmed',
    breaks: 'A leader says that a session is over before a majority has confirmed the leader, and that end.',
    kin: 'LeaderSessionTracker and LearnerHandler of ZooKeeper, which ask nobody',
    edits: [{ file: LEADING, from: 'if (answer.valid)', to: 'if (true)' }],
    expected: { seeds: 200, seedsWithoutAssertions: 200, likely: 39 },
  },
  {
    name: 'end-told-by-deposed',
    breaks: 'A leader says that a session is over once what it has proposed is committed, and asks no majority.',
    kin: 'decision 0032',
    edits: [{ file: QUORUM_ROUNDS, from: 'sync.round > confirmed', to: 'sync.syncId >= 0 && sync.round > confirmed' }],
    // In none of 200 seeds: it takes a client that moves to the wrong side before it has seen anything.
    expected: { test: SESSION_ENDS_TEST, named: 'tells nobody at it that a session is over which began under' },
  },
  {
    name: 'sync-without-majority',
    breaks: 'A leader answers a sync, and with it pings, without asking a majority whether it still leads.',
    kin: 'ZOOKEEPER-1675',
    edits: [{ file: QUORUM_ROUNDS, from: 'sync.round > confirmed', to: 'false' }],
    // It takes a deposed leader to which nothing was proposed that it could not commit, and whose client asks first.
    expected: {
      test: 'test/backends/embedded/server/zab/broadcast.test.ts',
      named: 'answers no sync, however often it is asked before it steps down',
    },
  },
  {
    name: 'sync-overtakes-proposals',
    breaks: 'A sync is answered when what was proposed before it is not committed yet.',
    kin: 'Leader.processSync of ZooKeeper, left out',
    edits: [{ file: QUORUM_ROUNDS, from: ' || sync.zxid > committed', to: '' }],
    profile: 'slow-disk',
    workload: 'raw',
    expected: { seeds: 300, likely: 27 },
  },
  {
    name: 'sync-not-awaited',
    breaks: 'A follower answers a sync before it has applied what the sync waits for.',
    kin: 'ZOOKEEPER-2137',
    edits: [{ file: LEADER_EXCHANGE, from: 'first.zxid > appliedZxid', to: 'false' }],
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 7 },
  },
  {
    name: 'ended-session-renewed-alone',
    breaks: 'A server alone answers the ping of a session whose end is under way, so that its lease outlives it.',
    kin: 'ZOOKEEPER-1622: a session that is being closed is renewed',
    edits: [{
      file: REQUEST_ORDER,
      from: 'this.#asksNobody && isKept',
      to: 'this.#asksNobody',
    }],
    profile: 'slow-disk',
    servers: 1,
    expected: {
      test: 'test/backends/embedded/server/clients/connections.test.ts',
      named: 'not while the session is being ended and the disk is slow',
    },
  },
  {
    name: 'ping-answered-alone',
    breaks: 'A server answers pings by itself, without a majority behind it.',
    kin: 'ZooKeeper as it is; decision 0003',
    edits: [{ file: REQUEST_ORDER, from: 'this.#pinged.push(connection)', to: 'this.#pong(connection)' }],
    profile: 'partition',
    workload: 'raw',
    expected: { seeds: 300, seedsWithoutAssertions: 300 },
  },
  {
    name: 'session-not-heard-of',
    breaks: 'A leader does not hear of the sessions on other servers, and ends them early.',
    kin: 'expiry by one server\'s own clock; ZOOKEEPER-1049',
    edits: [{
      file: LEADING,
      from: 'of forwarded.touched)',
      to: 'of forwarded.touched.slice(1))',
    }],
    workload: 'raw',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'session-ends-early',
    breaks: 'A session ends after half of its time-out.',
    kin: 'ticks mistaken for something else',
    edits: [{
      file: SESSION_TRACKER,
      from: 'timeoutTicks: Math.ceil(timeoutMs / this.#tickMs)',
      to: 'timeoutTicks: Math.ceil(timeoutMs / this.#tickMs / 2)',
    }],
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'session-never-ends',
    breaks: 'The session of a client that is gone never ends.',
    kin: 'ZOOKEEPER-1208, ZOOKEEPER-2355',
    edits: [{ file: SEQUENCER, from: 'of this.#tracker.tick()', to: 'of this.#tracker.tick().slice(1)' }],
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 3 },
  },
  {
    name: 'ending-session-writes',
    breaks: 'A write of a session whose end is decided already is done.',
    kin: 'ZOOKEEPER-1496, ZOOKEEPER-2355',
    edits: [{ file: SESSION_TRACKER, from: 'return Err.sessionExpired', to: 'return Err.ok' }],
    // The session has to be heard of between the decision to end it and the end: two messages in one delay.
    expected: {
      test: 'test/backends/embedded/server/writes/session-tracker.test.ts',
      named: 'lets a session that is being closed do nothing, and does not revive it',
    },
  },
  {
    name: 'moved-session-writes',
    breaks: 'A write that comes through the server that a session has left is done.',
    kin: 'ZOOKEEPER-417, session moved',
    edits: [{ file: SESSION_TRACKER, from: 'tracked.owner === owner ? Err.ok : Err.sessionMoved', to: 'Err.ok' }],
    profile: 'pause',
    workload: 'raw',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 28 },
  },
  {
    name: 'ending-session-moves',
    breaks: 'A client may pick up a session whose end is decided already.',
    kin: 'ZOOKEEPER-2355',
    edits: [{
      file: SEQUENCER,
      from: 'isOwner && this.#tracker.move(sessionId, from, timeoutMs)',
      to: 'isOwner && (this.#tracker.move(sessionId, from, timeoutMs) || true)',
    }],
    profile: 'churn',
    expected: {
      because: 'Until its end is applied, the session is open on every server, so to be attached a little longer is '
        + 'true. All that it gives is reads: a write is refused by the leader, which knows of the end, and a '
        + 'ping is answered only when what was proposed before is committed (sync-overtakes-proposals), which '
        + 'is the end, and that closes the connection.',
    },
  },
  {
    name: 'answer-for-another-connection',
    breaks: 'The leader\'s yes for a session lets in whoever waits for that session, whatever password it showed.',
    kin: 'Learner.pendingRevalidations of ZooKeeper, which goes by the session alone',
    edits: [{
      file: CONNECTIONS,
      from: 'const asker = this.#connections.get(id)',
      to: 'const asker = [...this.#connections.values()].find((open) => open.sessionId === sessionId)',
    }],
    expected: {
      test: 'test/backends/embedded/server/clients/sessions-and-moves.test.ts',
      named: 'gets no answer that another connection asked for, where the session is not known yet',
    },
  },
  {
    name: 'earlier-connection-heard',
    breaks: 'Who is back at a server is still heard over the connection that it had there before it went elsewhere.',
    kin: 'seed 9021: a late write of the first connection was done after those that another server had taken meanwhile',
    edits: [{ file: CONNECTIONS, from: 'samePassword(earlier.passwd, passwd)', to: 'false' }],
    expected: {
      test: 'test/backends/embedded/server/clients/sessions-and-moves.test.ts',
      named: 'is changed no more through the connection that it had first',
    },
  },
  {
    name: 'moved-session-keeps-its-time-out',
    breaks: 'A session that moves is told the time-out that it asks for, and ended after its old one.',
    kin: 'what this server did before; SessionTrackerImpl.touchSession',
    edits: [{ file: SESSION_TRACKER, from: 'tracked.timeoutTicks = Math.ceil(timeoutMs / this.#tickMs)', to: '' }],
    expected: {
      test: 'test/backends/embedded/server/clients/sessions-and-moves.test.ts',
      named: 'time-out that it asks for now',
    },
  },
  {
    name: 'password-ignored',
    breaks: 'A session can be picked up with any password.',
    kin: 'session hijack',
    edits: [{ file: SESSION_TABLE, from: 'return difference === 0', to: 'return true' }],
    expected: {
      test: 'test/backends/embedded/server/state/session-table.test.ts',
      named: 'is another one if one bit of any byte differs',
    },
  },
  {
    name: 'ephemerals-in-flight-survive',
    breaks: 'The end of a session does not remove nodes whose creation was decided and not applied yet.',
    kin: 'ZOOKEEPER-1144, ZOOKEEPER-2355',
    edits: [{
      file: OUTSTANDING,
      from: 'this.#latestNodes.get(decision.path) === decision)\n                paths.push',
      to: 'false)\n                paths.push',
    }],
    workload: 'raw',
    expected: { seeds: 300, likely: 1 },
  },
  {
    name: 'refused-multi-leaves-traces',
    breaks: 'What the first parts of a refused multi decided stays decided.',
    kin: 'ZOOKEEPER-1624, ZOOKEEPER-3127',
    edits: [{ file: PREPARE, from: 'this.#outstanding.rollback()', to: 'this.#outstanding.commit()' }],
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 1 },
  },
  {
    name: 'version-not-compared',
    breaks: 'A set is done whatever version it asks for.',
    kin: 'a lost update',
    edits: [{ file: PREPARE, from: 'wanted === -1 || wanted === actual', to: 'true' }],
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 0 },
  },
  {
    name: 'decision-forgotten',
    breaks: 'A request is judged by the applied state, without what was decided and is still on its way.',
    kin: 'ZOOKEEPER-1624',
    edits: [{ file: OUTSTANDING, from: '?? this.#latestNodes.get(path)', to: '' }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'snapshot-loses-counter',
    breaks: 'A snapshot holds the number of children where the count of creates should be.',
    kin: 'ZOOKEEPER-3249 and other states that a snapshot loses',
    edits: [{ file: SNAPSHOT, from: 'cversion: childCreates', to: 'cversion: node.names.flat().length' }],
    profile: 'failpoints',
    workload: 'raw',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
  {
    name: 'snapshot-shows-later-writes',
    breaks: 'A snapshot that is read while transactions are applied shows what they have changed.',
    kin: 'ZOOKEEPER-3145 and what else a fuzzy snapshot needs a tolerant replay for',
    edits: [{ file: TREE_IMAGE, from: 'this.#kept.set(path, node.image())', to: 'void 0' }],
    expected: {
      test: 'test/backends/embedded/server/state/snapshot-writes.test.ts',
      named: 'has a node that is deleted and made again as it was before',
    },
  },
  {
    name: 'snapshot-shows-the-end-of-sessions',
    breaks: 'A snapshot does not keep a session that ends while it is read.',
    kin: 'ZOOKEEPER-3144',
    edits: [{ file: SNAPSHOT, from: 'this.#ended.set(id, session)', to: 'void 0' }],
    expected: {
      test: 'test/backends/embedded/server/state/snapshot-writes.test.ts',
      named: 'has an ephemeral node and a session that end while it is read',
    },
  },
  {
    name: 'frozen-names-change',
    breaks: 'The names of a node that a snapshot keeps change with it.',
    kin: 'a copy that shares what it should own',
    edits: [{ file: SORTED_NAMES, from: 'this.#owned = NOTHING_OWNED', to: 'void 0' }],
    expected: {
      test: 'test/backends/embedded/server/state/sorted-names.test.ts',
      named: 'that are frozen stay as they are, whatever comes and goes',
    },
  },
  {
    name: 'data-event-lost-between-servers',
    breaks: 'A watch that is armed again on another server does not tell of a change in between.',
    kin: 'ZOOKEEPER-1667',
    edits: [{ file: WATCHES, from: 'node.mzxid > relativeZxid', to: 'false' }],
    profile: 'churn',
    workload: 'raw',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 16 },
  },
  {
    name: 'children-event-lost-between-servers',
    breaks: 'A watch of children that is armed again on another server does not tell of a change in between.',
    kin: 'ZOOKEEPER-1667',
    edits: [{ file: WATCHES, from: 'node.pzxid > relativeZxid', to: 'false' }],
    profile: 'churn',
    workload: 'raw',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 7 },
  },
  {
    name: 'event-behind-newer-reply',
    breaks: 'Events are sent behind the replies of the same turn, which show their effect already.',
    kin: 'ZooKeeper guarantee: "a client will see the watch event before it sees the new data"',
    edits: [{
      file: CONNECTIONS,
      from: '{ replies: this.#replies, closes: this.#closes }',
      to: "{ replies: [...this.#replies.filter((r) => r.message.kind !== 'event'), "
        + "...this.#replies.filter((r) => r.message.kind === 'event')], closes: this.#closes }",
    }],
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
  {
    name: 'children-watch-misses-deletion',
    breaks: 'A watch of children does not hear that their parent was deleted.',
    kin: 'ZOOKEEPER-1853',
    edits: [{
      file: WATCHES,
      from: 'tell(this.#children.takeNode(path), EventType.nodeDeleted, path, acl, told)',
      to: 'void 0',
    }],
    workload: 'raw',
    expected: { seeds: 300, seedsWithoutAssertions: 300 },
  },
  {
    name: 'watch-told-twice',
    breaks: 'A one-shot watch stays armed when it has fired.',
    kin: 'one-shot watches that are not',
    edits: [{
      file: WATCH_TABLE,
      from: 'this.#connectionsOf.delete(path);\n            this.#count -= connections.size;',
      to: 'return connections;',
    }],
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100 },
  },
]
