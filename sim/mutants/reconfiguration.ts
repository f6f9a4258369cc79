/**
 * Mutants of reconfiguration: which configurations decide, when one comes into force, and who votes in it.
 */
import type { Mutant } from './mutant.ts'

const ELECTION = 'backends/embedded/server/zab/election.ts'
const JOURNAL = 'backends/embedded/server/zab/journal.ts'
const LEADING = 'backends/embedded/server/roles/leading.ts'
const MEMBERSHIP = 'backends/embedded/server/zab/membership.ts'
const NEXT = 'backends/embedded/server/writes/reconfiguration.ts'
const PREPARE = 'backends/embedded/server/writes/prepare.ts'
const SERVER = 'backends/embedded/server/server.ts'

const BOTH = 'proposed === null ? [current] : [current, proposed]'

/** Mutants of the change of servers. */
export const RECONFIGURATION_MUTANTS: readonly Mutant[] = [
  {
    name: 'old-quorum-alone-decides',
    breaks: 'A proposed configuration comes into force by a majority of the old one alone.',
    kin: 'the single-server change of Raft, done wrong for any change',
    edits: [{ file: MEMBERSHIP, from: BOTH, to: '[current]' }],
    profile: 'reconfiguration',
    expected: { seeds: 20, likely: 1 },
  },
  {
    name: 'new-quorum-alone-decides',
    breaks: 'A proposed configuration decides as soon as it is in the log of its leader, without the old one.',
    kin: 'Raft dissertation 4.1, done wrong for any change',
    edits: [{ file: MEMBERSHIP, from: BOTH, to: 'proposed === null ? [current] : [proposed]' }],
    profile: 'reconfiguration',
    expected: { seeds: 20, likely: 1 },
  },
  {
    name: 'removed-server-votes',
    breaks: 'Whoever follows counts in a majority, also a server that the configuration does not name as a voter.',
    kin: 'ZOOKEEPER-2164',
    edits: [{ file: MEMBERSHIP, from: 'voters.filter((id) => ids.includes(id)).length', to: 'ids.length' }],
    expected: {
      test: 'test/backends/embedded/server/zab/membership.test.ts',
      named: 'decides alone once it is in force',
    },
  },
  {
    name: 'followers-keep-the-old-configuration',
    breaks: 'Only the server that leads brings a configuration into force.',
    kin: 'ZOOKEEPER-2172',
    edits: [{
      file: SERVER,
      from: 'if (configuration !== null)',
      to: "if (configuration !== null && this.#role.kind === 'leading')",
    }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'adds a server, removes one, and changes roles',
    },
  },
  {
    name: 'two-reconfigurations-in-flight',
    breaks: 'A leader proposes a configuration while the one before it is not in force.',
    kin: 'Ongaro on raft-dev, 2015: bug in single-server membership changes',
    edits: [{ file: NEXT, from: 'if (isChanging)', to: 'if (false)' }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'is refused while another one is under way',
    },
  },
  {
    name: 'tells-of-a-proposed-configuration',
    breaks: 'A vote names the proposed configuration, and whoever looks takes it for committed.',
    kin: 'ZOOKEEPER-2080',
    edits: [{
      file: ELECTION,
      from: 'const configuration = this.#membership.current',
      to: 'const configuration = this.#membership.proposed ?? this.#membership.current',
    }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'is not in force anywhere before majorities of both have it on their disks',
    },
  },
  {
    name: 'proposed-configuration-outlives-its-cut',
    breaks: 'A configuration whose transaction was cut off still needs its majority.',
    kin: 'ZooKeeper keeps it in a file beside its log',
    edits: [{ file: JOURNAL, from: 'made.zxid <= zxid', to: 'true' }],
    expected: {
      test: 'test/backends/embedded/server/zab/membership.test.ts',
      named: 'is forgotten when its transaction is cut off',
    },
  },
  {
    name: 'skips-the-configuration-between',
    breaks: 'With two configurations in the log, a majority of the first is not needed for the second.',
    kin: 'none known; a recovered log can hold several',
    edits: [{
      file: MEMBERSHIP,
      from: 'settled !== null && settled.version > this.#current.version ? settled : this.#current',
      to: 'this.#current',
    }],
    expected: {
      test: 'test/backends/embedded/server/zab/membership.test.ts',
      named: 'of which a later one stands in the log is in force',
    },
  },
  {
    name: 'believes-any-configuration',
    breaks: 'Whoever looks for a leader takes a configuration over from a server that belongs to none.',
    kin: 'ZooKeeper takes it over from any server that calls',
    edits: [{
      file: MEMBERSHIP,
      from: 'voters.includes(id) || observers.includes(id))',
      to: 'voters.includes(id) || observers.length >= 0)',
    }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'takes no configuration over from a server that belongs to none',
    },
  },
  {
    name: 'configuration-is-any-data',
    breaks: 'The superuser can set /zookeeper/config to what is no configuration.',
    kin: 'ZooKeeper lets him, and has the configuration elsewhere',
    edits: [{ file: PREPARE, from: 'path === CONFIG_PATH && this.#members !== null', to: 'false' }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'lets nobody write there what is no configuration',
    },
  },
  {
    name: 'switched-off-is-asked-again',
    breaks: 'Where changes are switched off, a leader proposes the list that it was started with at every tick.',
    kin: 'none known',
    edits: [{
      file: LEADING,
      from: '!config.reconfigurable || !config.reconfigEnabled',
      to: '!config.reconfigurable',
    }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'the configuration is no transaction, and is not changed',
    },
  },
  {
    name: 'switched-off-changes-by-others',
    breaks: 'A leader that has changes switched off makes those that other servers pass on.',
    kin: 'none known',
    edits: [{ file: LEADING, from: 'isOpen: config.reconfigEnabled,', to: 'isOpen: true,' }],
    expected: {
      test: 'test/backends/embedded/server/reconfiguration.test.ts',
      named: 'at the leader alone, others pass the request on in vain',
    },
  },
]
