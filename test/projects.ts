/**
 * The projects of the tests: each file belongs to one.
 *
 * - `unit`: pure code, and recipes in virtual time. Run it on every save. Its files share the modules that they load:
 *   none replaces a module, and none leaves anything running.
 * - `hosts`: as `unit`, but on real sockets and files of this process: servers, backends, commands, the dashboard,
 *   frameworks.
 * - `repository`: looks at the files of the repository: their layers, sizes, words and guarantees.
 * - `conformance`: as `unit`, but the suites of `quorate/testing` on the model: sessions that they leave end in their
 *   own time, and apart from the virtual time of others.
 * - `engines`: starts ZooKeeper, etcd, Redis, programs of this package, compilers; or measures real time.
 * - `polyglot`: clients in other languages against our servers.
 * - `simulation`: seeds and mutants, and searches of the same kind: each order, each crash, each damaged byte.
 */

/** One project, as vitest takes it. */
export interface Project {
  readonly name: string
  readonly include: string[]
  readonly exclude: string[]
  /** Whether each file loads all modules again. */
  readonly isolate: boolean
}

const ALL = ['test/**/*.test.ts']

const ENGINES = [
  'test/backends/client-processes.test.ts',
  'test/backends/embedded/{conformance,conformance-disk,conformance-processes,recipe-faults}.test.ts',
  'test/backends/embedded/{server-process,take-turns,watch-limit}.test.ts',
  'test/backends/embedded/{killed,reconfig,tls}-processes.test.ts',
  'test/backends/embedded/{full-disk,mixed-ensemble,processes,rolling-restart,small-disk}.test.ts',
  'test/backends/embedded/host/admin/reference-words.test.ts',
  'test/backends/embedded/host/clients/{reference-nodes,request-fuzz,limits}.test.ts',
  'test/backends/embedded/host/{longest-turn,snapshot-turn}.test.ts',
  'test/backends/etcd/{burst,cluster-faults,conformance,faults,hostile-keys,interop,recipe-faults}.test.ts',
  'test/backends/redis/{burst,conformance,deployments,faults,hostile-channel,hostile-keys}.test.ts',
  'test/backends/redis/{ioredis-6,recipe-faults,secured}.test.ts',
  'test/backends/wire/disk/reference-tools.test.ts',
  'test/backends/zookeeper/{conformance,embedded,failover,local-sessions,owned-nodes}.test.ts',
  'test/backends/zookeeper/{read-only,rearming,recipe-faults,sasl,secured,sync}.test.ts',
  'test/{bench,connect-url,docs,lint}.test.ts',
  'test/dashboard/{engines,page}.test.ts',
  'test/cli/{ensemble-command,lock-program,program,terminal}.test.ts',
  'test/{differential,engines,examples,fuzz,hostile,load,package,site}/**/*.test.ts',
  'test/recipes/documented-errors.test.ts',
  'test/support/monitors.test.ts',
]
const HOSTS = [
  'test/backends/embedded/*.test.ts',
  'test/backends/embedded/host/**/*.test.ts',
  'test/backends/{etcd,redis,zookeeper}/**/*.test.ts',
  'test/{cli,dashboard,frameworks}/**/*.test.ts',
  'test/observe/operations.test.ts',
]
const REPOSITORY = [
  'test/{architecture,closing-line-reporter,guarantees,hostile-peers,import-circles,tidy,zookeeper-cves}.test.ts',
]
const CONFORMANCE = ['test/testing/{conformance,recipe-conformance,*-bites}.test.ts']
const POLYGLOT = ['test/polyglot/**/*.test.ts']
const SIMULATION = [
  'test/backends/embedded/host/storage/{corruption,crash,failing-calls}.test.ts',
  'test/backends/embedded/server/random-schedules.test.ts',
  'test/recipes/locks/many-waiters.test.ts',
  'test/sim/**/*.test.ts',
  'test/testing/simulation/**/*.test.ts',
]

/** Files that have a process of their own, or a project that is no folder. */
const APART = [...ENGINES, ...POLYGLOT, ...SIMULATION]

/** See the list above. */
export const PROJECTS: readonly Project[] = [
  { name: 'unit', include: ALL, exclude: [...CONFORMANCE, ...HOSTS, ...REPOSITORY, ...APART], isolate: false },
  { name: 'hosts', include: HOSTS, exclude: APART, isolate: false },
  { name: 'repository', include: REPOSITORY, exclude: [], isolate: false },
  { name: 'conformance', include: CONFORMANCE, exclude: [], isolate: false },
  { name: 'engines', include: ENGINES, exclude: [], isolate: true },
  { name: 'polyglot', include: POLYGLOT, exclude: [], isolate: true },
  { name: 'simulation', include: SIMULATION, exclude: [], isolate: true },
]
