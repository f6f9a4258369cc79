/**
 * The projects of the tests: each file belongs to one.
 *
 * - `unit`: no process but this one, and no real time to speak of. Run it on every save.
 * - `engines`: starts ZooKeeper, etcd, Redis, programs of this package, compilers.
 * - `polyglot`: clients in other languages against our servers.
 * - `simulation`: seeds and mutants.
 */

/** One project, as vitest takes it. */
export interface Project {
  readonly name: string
  readonly include: string[]
  readonly exclude: string[]
}

const ALL = ['test/**/*.test.ts']

const ENGINES = [
  'test/backends/client-processes.test.ts',
  'test/backends/embedded/{conformance,conformance-disk,recipe-faults,server-process,take-turns,watch-limit}.test.ts',
  'test/backends/embedded/{killed,reconfig,tls}-processes.test.ts',
  'test/backends/embedded/{mixed-ensemble,processes,small-disk}.test.ts',
  'test/backends/embedded/host/admin/reference-words.test.ts',
  'test/backends/embedded/host/clients/{reference-nodes,request-fuzz,limits}.test.ts',
  'test/backends/embedded/host/longest-turn.test.ts',
  'test/backends/etcd/{burst,cluster-faults,conformance,faults,hostile-keys,interop,recipe-faults}.test.ts',
  'test/backends/redis/{burst,conformance,deployments,faults,hostile-channel,hostile-keys}.test.ts',
  'test/backends/redis/{ioredis-6,recipe-faults,secured}.test.ts',
  'test/backends/wire/disk/reference-tools.test.ts',
  'test/backends/zookeeper/{conformance,embedded,failover,owned-nodes,read-only,rearming}.test.ts',
  'test/backends/zookeeper/{recipe-faults,secured,sync}.test.ts',
  'test/{bench,connect-url,docs,lint}.test.ts',
  'test/dashboard/{engines,page}.test.ts',
  'test/cli/{ensemble-command,lock-program,program,terminal}.test.ts',
  'test/{differential,engines,examples,load,package}/**/*.test.ts',
  'test/recipes/documented-errors.test.ts',
]
const POLYGLOT = ['test/polyglot/**/*.test.ts']
const SIMULATION = ['test/sim/**/*.test.ts', 'test/testing/simulation/**/*.test.ts']

/** See the list above. */
export const PROJECTS: readonly Project[] = [
  { name: 'unit', include: ALL, exclude: [...ENGINES, ...POLYGLOT, ...SIMULATION] },
  { name: 'engines', include: ENGINES, exclude: [] },
  { name: 'polyglot', include: POLYGLOT, exclude: [] },
  { name: 'simulation', include: SIMULATION, exclude: [] },
]
