/**
 * Mutants of the consensus: election, discovery, synchronisation, broadcast, and what is durable when.
 */
import type { Mutant } from './mutant.ts'

const ELECTION = 'backends/embedded/server/zab/election.ts'
const FOLLOWING = 'backends/embedded/server/roles/following.ts'
const JOURNAL = 'backends/embedded/server/zab/journal.ts'
const LEADER = 'backends/embedded/server/zab/leader.ts'
const LEARNER = 'backends/embedded/server/zab/learner.ts'
const SERVER = 'backends/embedded/server/server.ts'
const MEMBERSHIP = 'backends/embedded/server/zab/membership.ts'
const QUORUM_ROUNDS = 'backends/embedded/server/zab/quorum-rounds.ts'
const QUORUM = 'backends/embedded/server/zab/quorum.ts'

const VOTE_IGNORES_ZXID = { file: ELECTION, from: 'a.zxid !== b.zxid', to: 'false' }
const LEADS_THOSE_AHEAD = { file: LEADER, from: "isAhead && this.#phase !== 'broadcast'", to: 'false' }
const PROPOSALS_WAIT_FOR_THE_LEARNER = {
  file: LEADER,
  from: 'learner.inStream && learner.votes',
  to: 'learner.synced && learner.votes',
}

export const CONSENSUS_MUTANTS: readonly Mutant[] = [
  {
    name: 'ack-before-durable',
    breaks: 'A follower acknowledges a proposal before it is on its disk.',
    kin: 'ZooKeeper with forceSync=no',
    edits: [{
      file: LEARNER,
      from: "this.#outbox.afterPersist(this.leader, this.link, { type: 'ACK', zxid })",
      to: "this.#outbox.now(this.leader, this.link, { type: 'ACK', zxid })",
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'leader-counts-itself-early',
    breaks: 'A leader counts itself for a proposal that is not on its own disk yet.',
    kin: 'Raft dissertation 10.2.1, done wrong',
    edits: [{ file: LEADER, from: 'this.#journal.durable.zxid]])', to: 'this.#journal.lastZxid]])' }],
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 1 },
  },
  {
    name: 'half-is-a-quorum',
    breaks: 'Half of the voters are a majority.',
    kin: 'the classic',
    edits: [{
      file: QUORUM,
      from: 'count > Math.floor(voters.length / 2)',
      to: 'count >= Math.floor(voters.length / 2)',
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'vote-ignores-epoch',
    breaks: 'Votes are compared by zxid alone: a log of an older epoch can win.',
    kin: 'ZOOKEEPER-1156',
    edits: [{ file: ELECTION, from: 'a.peerEpoch !== b.peerEpoch', to: 'false' }],
    profile: 'hot-crash',
    expected: { seeds: 300, likely: 1 },
  },
  {
    name: 'vote-ignores-zxid',
    breaks: 'Votes of one epoch are compared by id alone: a shorter log can win.',
    kin: 'ZOOKEEPER-1154',
    edits: [VOTE_IGNORES_ZXID],
    profile: 'hot-crash',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 9 },
  },
  {
    name: 'shortest-log-leads',
    breaks: 'A shorter log can win, and its owner does not notice that its followers have seen more.',
    kin: 'ZOOKEEPER-1154, both guards gone',
    edits: [VOTE_IGNORES_ZXID, LEADS_THOSE_AHEAD],
    profile: 'hot-crash',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 0 },
  },
  {
    name: 'leads-those-ahead',
    breaks: 'A prospective leader does not notice that a follower has seen more.',
    kin: 'ZOOKEEPER-1154',
    edits: [LEADS_THOSE_AHEAD],
    // The election has to choose wrongly first: once in thousands of runs.
    expected: {
      test: 'test/backends/embedded/server/zab/synchronisation.test.ts',
      named: 'gives up when a follower has seen more, rather than cut it off',
    },
  },
  {
    name: 'truncation-skipped',
    breaks: 'A learner keeps the end of its log that the leader does not have.',
    kin: 'ZOOKEEPER-1154, ZOOKEEPER-1489',
    edits: [{ file: LEARNER, from: "incoming.mode === 'TRUNC'", to: 'false' }],
    profile: 'hot-crash',
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 10 },
  },
  {
    name: 'truncation-in-memory-only',
    breaks: 'What a learner cuts off is still on its disk.',
    kin: 'ZOOKEEPER-5094, ZOOKEEPER-1489',
    edits: [{ file: JOURNAL, from: "this.#queue({ type: 'truncate', zxid })", to: 'this.#flushAppended()' }],
    profile: 'hot-crash',
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 10 },
  },
  {
    name: 'divergent-learner-gets-diff',
    breaks: 'A leader sends a DIFF to a learner whose log has what its own has not.',
    kin: 'ZOOKEEPER-1154',
    edits: [{ file: LEADER, from: 'this.#journal.covers(from) && from <= end', to: 'true' }],
    profile: 'hot-crash',
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 10 },
  },
  {
    name: 'diff-lacks-its-first',
    breaks: 'A DIFF begins one transaction too late.',
    kin: 'ZOOKEEPER-4925, ZOOKEEPER-508',
    edits: [{
      file: LEADER,
      from: 'of this.#journal.range(from, end))',
      to: 'of this.#journal.range(from, end).slice(1))',
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'new-leader-acknowledged-early',
    breaks: 'A learner acknowledges NEWLEADER before the history is on its disk.',
    kin: 'ZOOKEEPER-3911, ZOOKEEPER-4646, ZOOKEEPER-4785',
    edits: [{
      file: LEARNER,
      from: 'this.#acknowledge(zxidOf(this.#epoch, 0))',
      to: "this.#outbox.now(this.leader, this.link, { type: 'ACK', zxid: zxidOf(this.#epoch, 0) })",
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'epoch-before-history',
    breaks: "A learner's current epoch is durable before the history that it stands for.",
    kin: 'ZOOKEEPER-4643',
    edits: [{
      file: LEARNER,
      from: 'for (const entry of incoming.entries)',
      to: 'this.#journal.enterEpoch(this.#epoch); for (const entry of incoming.entries)',
    }],
    expected: { seeds: 300 },
  },
  {
    name: 'epoch-after-proposals',
    breaks: 'A learner acknowledges, and logs proposals of the new epoch, before that epoch is its current one.',
    kin: 'ZOOKEEPER-4685, ZOOKEEPER-1282',
    edits: [
      { file: LEARNER, from: 'this.#journal.enterEpoch(this.#epoch)', to: 'void 0' },
      {
        file: LEARNER,
        from: "this.#phase = 'broadcast'",
        to: "this.#journal.enterEpoch(this.#epoch); this.#phase = 'broadcast'",
      },
    ],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'accepted-epoch-forgotten',
    breaks: 'The epoch that a server has promised to is not written down.',
    kin: 'ZOOKEEPER-1291',
    edits: [{ file: JOURNAL, from: 'this.#acceptedEpoch = epoch;', to: 'this.#acceptedEpoch = epoch; return;' }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'epoch-reused',
    breaks: 'A leader takes the highest epoch that it heard of, instead of the next.',
    kin: 'ZOOKEEPER-1343',
    edits: [{
      file: LEADER,
      from: 'Math.max(this.#journal.acceptedEpoch, this.#epochFloor, ...accepted) + 1',
      to: 'Math.max(this.#journal.acceptedEpoch, this.#epochFloor, 1, ...accepted)',
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 2 },
  },
  {
    name: 'epoch-promised-before-durable',
    breaks: 'A leader tells its epoch before it has written it down.',
    kin: 'ZOOKEEPER-1291',
    edits: [{
      file: LEADER,
      from: "this.#outbox.afterPersist(learner.id, learner.link, { type: 'LEADERINFO', epoch: this.#epoch })",
      to: "this.#outbox.now(learner.id, learner.link, { type: 'LEADERINFO', epoch: this.#epoch })",
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'epoch-acknowledged-before-durable',
    breaks: 'A follower acknowledges an epoch before it has written it down.',
    kin: 'ZOOKEEPER-1291',
    edits: [{
      file: LEARNER,
      from: "this.#outbox.afterPersist(this.leader, this.link, { type: 'ACKEPOCH',",
      to: "this.#outbox.now(this.leader, this.link, { type: 'ACKEPOCH',",
    }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'joiner-misses-proposals',
    breaks: 'Proposals go to a learner only when it has acknowledged NEWLEADER, so it misses those in between.',
    kin: 'ZAB specification issue 1, ZOOKEEPER-3104',
    edits: [PROPOSALS_WAIT_FOR_THE_LEARNER],
    // Without assertions a learner that meets the gap ends its attempt, and the next one is whole.
    expected: { seeds: 50, likely: 4 },
  },
  {
    name: 'apply-before-commit',
    breaks: 'A server applies what is durable here, whether it is committed or not.',
    kin: 'ZOOKEEPER-790',
    edits: [{ file: SERVER, from: 'committed < durable ? committed : durable', to: 'durable' }],
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'leader-never-steps-down',
    breaks: 'A leader without a majority goes on.',
    kin: 'ZOOKEEPER-1277 and any leader without a lease',
    edits: [{ file: LEADER, from: 'this.#minorityTicks > this.#config.pingTicks', to: 'false' }],
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 6 },
  },
  {
    name: 'stale-vote-reused',
    breaks: 'A new election begins with the vote that decided the last one.',
    kin: 'ZOOKEEPER-1732',
    edits: [{
      file: ELECTION,
      from: 'this.#proposal = this.#own;',
      to: 'this.#proposal = this.#proposal.leader === NOBODY ? this.#own : this.#proposal;',
    }],
    expected: { seeds: 100, likely: 7 },
  },
  {
    name: 'higher-epoch-locked-out',
    breaks: 'A leader ignores that a voter has accepted a higher epoch, which locks that voter out.',
    kin: 'ZooKeeper as it is: Learner, "Leaders epoch is less than accepted epoch"',
    edits: [{ file: LEADER, from: 'packet.acceptedEpoch > this.#epoch', to: 'false' }],
    expected: {
      test: 'test/backends/embedded/server/scenarios.test.ts',
      named: 'voter with a higher epoch is not locked out',
    },
  },
  {
    name: 'epoch-without-quorum',
    breaks: 'A leader chooses its epoch before a majority has told what it accepted.',
    kin: 'ZOOKEEPER-1291, discovery left out',
    edits: [{
      file: LEADER,
      from: '!this.#isQuorum(this.#followers()))',
      to: 'this.#followers().length === 0 && !this.#membership.isVoter(this.#config.myid))',
    }],
    expected: {
      test: 'test/backends/embedded/server/scenarios.test.ts',
      named: 'election two two partition elects none',
    },
  },
  {
    name: 'lower-epoch-followed',
    breaks: 'A follower follows a leader of an epoch lower than the one it has accepted.',
    kin: 'ZOOKEEPER-335',
    edits: [
      { file: LEARNER, from: 'packet.epoch < acceptedEpoch', to: 'false' },
      { file: LEARNER, from: ' || this.#epoch !== this.#journal.acceptedEpoch', to: '' },
    ],
    expected: {
      test: 'test/backends/embedded/server/zab/synchronisation.test.ts',
      named: 'follows no leader of an epoch before the one that it has accepted',
    },
  },
  {
    name: 'gap-accepted',
    breaks: 'A log takes a transaction that does not follow its last.',
    kin: 'ZOOKEEPER-4925',
    edits: [{ file: JOURNAL, from: 'assert(follows(last, entry.zxid),', to: 'assert(true,' }],
    expected: {
      because: 'Packets of a link arrive in order and without gaps, and a leader puts everything from the end of the '
        + 'learner\'s log on into the stream in one go. So no log is ever asked to take a gap; the assertion is '
        + 'there for a leader that is broken (joiner-misses-proposals, diff-lacks-its-first).',
    },
  },
  {
    name: 'votes-of-old-rounds-count',
    breaks: 'Votes of earlier rounds of the election are counted.',
    kin: 'FastLeaderElection, backward round',
    edits: [
      { file: ELECTION, from: 'heard.electionEpoch < this.#logicalClock', to: 'false' },
      { file: ELECTION, from: 'isSame && vote.electionEpoch === this.#logicalClock && id', to: 'isSame && id' },
    ],
    expected: {
      test: 'test/backends/embedded/server/zab/election.test.ts',
      named: 'of an earlier round are not counted, and their voter is told of the present one',
    },
  },
  {
    name: 'observers-are-counted',
    breaks: 'Observers are counted in quorums.',
    kin: 'ZOOKEEPER-2959',
    edits: [
      { file: LEADER, from: 'this.#learners.filter((learner) => learner.votes)', to: '[...this.#learners]' },
      { file: QUORUM_ROUNDS, from: 'if (votes)', to: 'if (votes || true)' },
      { file: MEMBERSHIP, from: 'voters.filter((id) => ids.includes(id)).length', to: 'ids.length' },
      { file: MEMBERSHIP, from: 'voters.flatMap((id) => reached.get(id) ?? [])', to: '[...reached.values()]' },
    ],
    profile: 'partition',
    workload: 'raw',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 85 },
  },
  {
    name: 'incomplete-snapshot-kept',
    breaks: 'A learner takes over a snapshot when it comes, not when the synchronisation is complete.',
    kin: 'ZOOKEEPER-3642, ZOOKEEPER-2872',
    edits: [{
      file: LEARNER,
      from: 'state.isWhole = chunk.isLast',
      to: 'state.isWhole = chunk.isLast; if (chunk.isLast) state.intake.finish()',
    }],
    profile: 'failpoints',
    expected: { seeds: 300 },
  },
  {
    name: 'state-in-silence',
    breaks: 'A learner that takes a state in gives no sign of life, and is given up for it.',
    kin: 'initLimit that is too short for the data',
    edits: [{
      file: LEARNER,
      from: "this.#outbox.now(this.leader, this.link, { type: 'SNAPACK' })",
      to: 'void 0',
    }],
    expected: {
      test: 'test/backends/embedded/server/zab/synchronisation.test.ts',
      named: 'may take longer for a state than a silent one may for everything',
    },
  },
  {
    name: 'packets-of-earlier-links-accepted',
    breaks: "A leader takes a packet for the learner's present link that was sent on an earlier one.",
    kin: 'ZOOKEEPER-4712: what outlives a change of role',
    edits: [{ file: LEADER, from: 'learner === undefined || learner.link !== link', to: 'learner === undefined' }],
    expected: {
      because:
        'The host numbers the links, each once, and hands on nothing that comes on one that is closed. A leader ' +
        "closes a learner's earlier link when the next one opens, so no packet of the earlier one reaches it then.",
    },
  },
  {
    name: 'established-without-majority',
    breaks: 'A leader is established with the first learner that is synchronised.',
    kin: 'ZOOKEEPER-1282',
    edits: [{
      file: LEADER,
      from: '!this.#isQuorum(this.#followers().filter((learner) => learner.synced)))',
      to: 'this.#followers().every((learner) => !learner.synced) && !this.#membership.isAlone(this.#config.myid))',
    }],
    expected: { seeds: 50, seedsWithoutAssertions: 50, likely: 1 },
  },
  {
    name: 'established-before-durable',
    breaks: 'A leader is established before its own epoch is on its disk.',
    kin: 'ZOOKEEPER-1291',
    edits: [{
      file: LEADER,
      from: 'currentEpoch < this.#epoch || zxid < this.#initialZxid',
      to: 'false',
    }],
    profile: 'slow-disk',
    workload: 'keys',
    expected: { seeds: 100, likely: 1 },
  },
  {
    name: 'amnesiac-votes-at-once',
    breaks: 'A server that lost its disk votes as if it had never promised anything.',
    kin: 'ZOOKEEPER-2332 and every "just delete the data directory"',
    edits: [{ file: SERVER, from: 'if (config.bootstrap)', to: 'if (true)' }],
    profile: 'disk',
    workload: 'keys',
    expected: { seeds: 300, likely: 10 },
  },
  {
    name: 'amnesiac-trusts-one-leader',
    breaks: 'A server that lost its disk votes again when a leader, perhaps a deposed one, has brought it up to date.',
    kin: 'Viewstamped Replication revisited, 4.3: recovery needs a quorum',
    edits: [{
      file: FOLLOWING,
      from: "this.#learner.send({ type: 'SYNC', syncId: VOTE_SYNC_ID, touched: [] })",
      to: 'this.#takeVoteBack()',
    }],
    profile: 'disk',
    expected: {
      test: 'test/backends/embedded/server/scenarios.test.ts',
      named: 'server without storage votes only when caught up',
    },
  },
  {
    name: 'amnesiac-does-not-wait',
    breaks: 'A server that lost its disk votes again while an attempt to lead may still count its forgotten promises.',
    kin: 'Michael, Ports, Sharma, Szekeres: "Recovering Shared Objects Without Stable Storage", 2017',
    edits: [{ file: FOLLOWING, from: 'this.#uptimeTicks < this.#parts.config.initLimitTicks', to: 'false' }],
    profile: 'disk',
    expected: {
      test: 'test/backends/embedded/server/scenarios.test.ts',
      named: 'server without storage votes only when caught up',
    },
  },
  {
    name: 'amnesiac-takes-any-confirmation',
    breaks: 'A server that lost its disk votes again when any sync is confirmed, not only the one that asked for it.',
    kin: 'an answer that is matched by nothing but its type',
    edits: [{
      file: FOLLOWING,
      from: 'answer.syncId === VOTE_SYNC_ID',
      to: '(answer.syncId === VOTE_SYNC_ID || this.#hasAskedForVote)',
    }],
    profile: 'disk',
    expected: {
      test: 'test/backends/embedded/server/zab/broadcast.test.ts',
      named: 'are given their vote by the sync that asked for it, and by no other',
    },
  },
  {
    name: 'amnesiac-takes-unasked-confirmation',
    breaks: 'A server that lost its disk votes again when a sync is confirmed that it has not asked for.',
    kin: 'an answer to no question',
    edits: [{ file: FOLLOWING, from: '!this.#hasAskedForVote || ', to: '' }],
    profile: 'disk',
    expected: {
      test: 'test/backends/embedded/server/zab/broadcast.test.ts',
      named: 'are given no vote by a confirmation that they did not ask for',
    },
  },
  {
    name: 'tick-confirms-no-sync-alone',
    breaks: 'A round of pings that a tick begins confirms no sync of a server alone: nobody is there to answer it.',
    kin: 'a flush that looked whether a round was due, and not whether an answer was',
    edits: [{
      file: LEADER,
      from: 'this.#ticks % this.#config.pingTicks === 0',
      to: 'this.#ticks % this.#config.pingTicks === 0 && !(this.isAlone && (this.#rounds.begin([]), true))',
    }],
    profile: 'churn',
    workload: 'raw',
    servers: 1,
    clients: 1,
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 7 },
  },
  {
    name: 'epoch-counter-overflows',
    breaks: 'A leader goes on when the counter of its epoch is used up.',
    kin: 'ZOOKEEPER-1277',
    edits: [{ file: LEADER, from: 'zxid === zxidOf(this.#epoch, this.#config.epochCounterMax)', to: 'false' }],
    profile: 'failpoints',
    expected: { seeds: 300 },
  },
]
