/** The import layers of the source: who may see whom. test/tidy.test.ts holds the files to them. */

/** The room of the embedded ensemble. */
export const EMBEDDED = 'src/backends/embedded/'
/** The room of one server as a pure machine. */
export const SERVER = `${EMBEDDED}server/`
/** A server is pure: beside its ports, it sees these alone. */
const FOR_SERVERS = [
  `${SERVER}ports.ts`,
  ...['errors', 'path', 'assert', 'fifo'].map((name) => `src/core/${name}.ts`),
  'src/backends/wire/',
]
/** The folders that the simulation may import: it drives the production host (decision 0005). */
const SIMULATED = ['src/core/', 'src/recipes/', EMBEDDED, 'src/backends/wire/', 'src/backends/client/']

/** A row of the table. */
interface Layer {
  readonly from: string
  /** The contents of the folder, for the diagram. */
  readonly holds: string
  readonly to: readonly string[]
}

/**
 * Who may import what: the first row whose `from` is a prefix of the importer holds. Nothing else may be imported. A
 * `*` is one folder, the same in the whole row.
 */
export const LAYERS: readonly Layer[] = [
  {
    from: 'src/index.ts',
    holds: 'the public names, no logic',
    to: ['src/'],
  },
  {
    from: 'src/connect-url.ts',
    holds: 'which engine a URL means; loads it when it is asked for',
    to: ['src/core/', 'src/backends/', 'src/observe/'],
  },
  {
    from: 'src/observe/',
    holds: 'listeners to calls, waits, leases: channels, Prometheus, OpenTelemetry',
    to: ['src/observe/', 'src/core/'],
  },
  {
    from: 'src/frameworks/',
    holds: 'Nest and Fastify: a client for the life of an application',
    to: ['src/frameworks/', 'src/core/', 'src/recipes/', 'src/observe/connect.ts'],
  },
  {
    from: 'src/cli/',
    holds: 'the command `quorate`',
    to: ['src/'],
  },
  // The page runs in a browser: of everything else it knows the form of the answers alone.
  {
    from: 'src/dashboard/page/',
    holds: 'the page, which runs in a browser',
    to: ['src/dashboard/page/', 'src/dashboard/api.ts'],
  },
  {
    from: 'src/dashboard/',
    holds: 'the HTTP handler over public interfaces',
    to: [
      ...['src/dashboard/', 'src/core/', 'src/recipes/', 'src/connect-url.ts'],
      ...[`${EMBEDDED}index.ts`, 'src/backends/client/server-address.ts'],
    ],
  },
  {
    from: 'sim/',
    holds: 'the verifier of this repository: checks, workloads, mutants',
    to: ['sim/', 'src/testing/', ...SIMULATED],
  },
  {
    from: 'chaos/',
    holds: 'real processes under real faults',
    to: ['chaos/', 'sim/checks/registers.ts', 'sim/mutants/', 'src/', 'test/engines/'],
  },
  {
    from: 'fuzz/',
    holds: 'inputs that nobody means well with, for all that reads them',
    to: ['fuzz/', 'sim/mutants/', 'src/', 'test/backends/', 'test/differential/', 'test/engines/'],
  },
  {
    from: 'src/testing/simulation/',
    holds: 'the simulated world',
    to: ['src/testing/', ...SIMULATED],
  },
  {
    from: 'src/testing/fixtures/',
    holds: 'an ensemble and matchers for tests of applications',
    to: ['src/testing/fixtures/', 'src/core/', `${EMBEDDED}index.ts`],
  },
  {
    from: 'src/testing/',
    holds: 'conformance suite, model backend, history checker',
    to: ['src/testing/', 'src/core/', 'src/recipes/'],
  },
  {
    from: 'src/recipes/*/',
    holds: 'the families, each in a folder, and engine/, which they stand on',
    to: ['src/recipes/*/', 'src/recipes/engine/', 'src/core/'],
  },
  // The number of learners is all that operators are shown of the consensus: a wall between the two halves.
  {
    from: `${SERVER}zab/`,
    holds: 'election and broadcast; transactions are opaque bytes to it',
    to: [`${SERVER}zab/`, `${SERVER}learner-counts.ts`, ...FOR_SERVERS],
  },
  {
    from: `${SERVER}state/`,
    holds: 'tree, sessions, snapshots',
    to: [`${SERVER}state/`, ...FOR_SERVERS],
  },
  {
    from: `${SERVER}writes/`,
    holds: 'requests to transactions, expiry of sessions',
    to: [`${SERVER}writes/`, `${SERVER}state/`, ...FOR_SERVERS],
  },
  {
    from: `${SERVER}clients/`,
    holds: 'connections, order of requests, reads, watches',
    to: [`${SERVER}clients/`, `${SERVER}writes/`, `${SERVER}state/`, ...FOR_SERVERS],
  },
  {
    from: SERVER,
    holds: 'one server as a pure machine; server.ts and roles/ join the halves',
    to: [SERVER, ...FOR_SERVERS],
  },
  {
    from: `${EMBEDDED}host/`,
    holds: 'drives one server: storage/, peers/, clients/, admin/',
    to: [`${EMBEDDED}host/`, SERVER, 'src/backends/wire/', 'src/backends/client/', 'src/backends/sasl/', 'src/core/'],
  },
  {
    from: EMBEDDED,
    holds: 'ensembles and members, composed of hosts',
    to: [EMBEDDED, 'src/backends/wire/', 'src/backends/client/', 'src/backends/sasl/', 'src/core/'],
  },
  {
    from: 'src/backends/zookeeper/',
    holds: 'a real ZooKeeper over TCP and TLS',
    to: [
      ...['src/backends/zookeeper/', 'src/backends/wire/', 'src/backends/client/'],
      ...['src/backends/sasl/mechanism.ts', 'src/core/'],
    ],
  },
  {
    from: 'src/backends/client/',
    holds: 'the client\'s half of a session over a channel',
    to: ['src/backends/client/', 'src/backends/wire/', 'src/backends/sasl/', 'src/core/'],
  },
  {
    from: 'src/backends/*/',
    holds: 'wire/ (formats of ZooKeeper), sasl/ (its mechanisms), etcd/, redis/',
    to: ['src/backends/*/', 'src/core/'],
  },
  {
    from: 'src/core/',
    holds: 'the contract, and what the sessions of all backends share',
    to: ['src/core/'],
  },
]

const NAME_COLUMNS = 20
const HOLDS_COLUMNS = 75

/** The table as docs/architecture.md shows it: a line per layer in the order of the table, below its parent folder. */
export function layersDiagram(): string {
  const froms = LAYERS.map(({ from }) => from)
  const above = (from: string): string[] => froms.filter((other) => other !== from && from.startsWith(other))
  const topOf = (from: string): string => above(from).sort((a, b) => a.length - b.length)[0] ?? from
  const rows = LAYERS.map((layer) => ({ ...layer, place: froms.indexOf(topOf(layer.from)) }))
  rows.sort((a, b) => a.place - b.place || (a.from < b.from ? -1 : 1))
  return rows.map(({ from, holds, to }) => {
    const parents = above(from)
    const name = from.slice(Math.max(0, ...parents.map(({ length }) => length))).replace(/^src\//, '')
    const shown = `${'  '.repeat(parents.length)}${name}`
    return `${shown.padEnd(NAME_COLUMNS)} ${holds.padEnd(HOLDS_COLUMNS)} ${importsText(from, to)}`.trimEnd()
  }).join('\n')
}

function importsText(from: string, to: readonly string[]): string {
  const others = to.filter((one) => one !== from).map((one) => {
    return one.replace(/^src\/(?=.)/, '').replace(/^backends\/(?=.)/, '').replace(/(\/|\.ts)$/, '')
  })
  const files = others.flatMap((one) => /^core\/(\w+)$/.exec(one)?.[1] ?? [])
  const rest = others.filter((one) => !/^core\/\w+$/.test(one)).map((one) => one.replace('embedded/server/', 'server/'))
  const all = files.length === 0 ? rest : [...rest, `core/{${files.join()}}`]
  return all.length === 0 ? '' : `<- ${all.join(', ')}`
}
