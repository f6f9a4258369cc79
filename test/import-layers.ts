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
/** What the simulation may see: it drives the production host (decision 0005). */
const SIMULATED = ['src/core/', 'src/recipes/', EMBEDDED, 'src/backends/wire/', 'src/backends/client/']

/**
 * Who may import what: the first row whose `from` is a prefix of the importer holds. Nothing else may be imported. A
 * `*` is one folder, the same in the whole row.
 */
export const LAYERS: readonly { readonly from: string; readonly to: readonly string[] }[] = [
  { from: 'src/index.ts', to: ['src/'] },
  { from: 'src/connect-url.ts', to: ['src/core/', 'src/backends/', 'src/observe/'] },
  { from: 'src/observe/', to: ['src/observe/', 'src/core/'] },
  { from: 'src/cli/', to: ['src/'] },
  // The page runs in a browser: of everything else it knows the form of the answers alone.
  { from: 'src/dashboard/page/', to: ['src/dashboard/page/', 'src/dashboard/api.ts'] },
  {
    from: 'src/dashboard/',
    to: [
      ...['src/dashboard/', 'src/core/', 'src/recipes/', 'src/connect-url.ts'],
      ...[`${EMBEDDED}index.ts`, 'src/backends/client/server-address.ts'],
    ],
  },
  { from: 'sim/', to: ['sim/', 'src/testing/', ...SIMULATED] },
  { from: 'chaos/', to: ['chaos/', 'sim/checks/registers.ts', 'sim/mutants/', 'src/'] },
  { from: 'src/testing/simulation/', to: ['src/testing/', ...SIMULATED] },
  { from: 'src/testing/', to: ['src/testing/', 'src/core/', 'src/recipes/'] },
  { from: 'src/recipes/*/', to: ['src/recipes/*/', 'src/recipes/engine/', 'src/core/'] },
  // The number of learners is all that operators are shown of the consensus: a wall between the two halves.
  { from: `${SERVER}zab/`, to: [`${SERVER}zab/`, `${SERVER}learner-counts.ts`, ...FOR_SERVERS] },
  { from: `${SERVER}state/`, to: [`${SERVER}state/`, ...FOR_SERVERS] },
  { from: `${SERVER}writes/`, to: [`${SERVER}writes/`, `${SERVER}state/`, ...FOR_SERVERS] },
  { from: `${SERVER}clients/`, to: [`${SERVER}clients/`, `${SERVER}writes/`, `${SERVER}state/`, ...FOR_SERVERS] },
  { from: SERVER, to: [SERVER, ...FOR_SERVERS] },
  {
    from: `${EMBEDDED}host/`,
    to: [`${EMBEDDED}host/`, SERVER, 'src/backends/wire/', 'src/backends/client/', 'src/core/'],
  },
  { from: EMBEDDED, to: [EMBEDDED, 'src/backends/wire/', 'src/backends/client/', 'src/core/'] },
  {
    from: 'src/backends/zookeeper/',
    to: ['src/backends/zookeeper/', 'src/backends/wire/', 'src/backends/client/', 'src/core/'],
  },
  { from: 'src/backends/client/', to: ['src/backends/client/', 'src/backends/wire/', 'src/core/'] },
  { from: 'src/backends/*/', to: ['src/backends/*/', 'src/core/'] },
  { from: 'src/core/', to: ['src/core/'] },
]
