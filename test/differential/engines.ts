/** The two kinds of servers that are compared, set up alike. */
import { embedded } from 'quorate/embedded'
import type { EmbeddedOptions } from 'quorate/embedded'
import { startQuorateEnsemble } from '../engines/quorate-ensemble.ts'
import type { CompiledPackage } from '../engines/quorate-server.ts'
import { startZooKeeper } from '../engines/zookeeper.ts'
import { SUPER_DIGEST } from './janitor.ts'

/** No container is removed while a program runs. */
const NEVER_MS = 3_600_000
/** No session ends by itself while a program runs. */
const SESSION_TIMEOUT_MS_MIN = 30_000
const SESSION_TIMEOUT_MS_MAX = 60_000

/** A server that listens on a port of the loopback interface. */
export interface TargetServer {
  readonly port: number
  /** The last of what it has written. */
  output(): string
  stop(): Promise<void>
}

/** The end of a server: it is asked to stop, or killed. */
export type Ending = 'SIGTERM' | 'SIGKILL'

/** One that has its data on disk, and can be started again. */
export interface DurableServer extends TargetServer {
  /** Ends it, and starts it again on the data that it left. */
  restart(ending: Ending): Promise<void>
}

/** Starts a ZooKeeper with everything that programs use switched on. */
export async function startReal(): Promise<DurableServer> {
  const zooKeeper = await startZooKeeper({
    tickMs: 2_000,
    heapMb: 256,
    config: { minSessionTimeout: SESSION_TIMEOUT_MS_MIN, maxSessionTimeout: SESSION_TIMEOUT_MS_MAX },
    properties: {
      'zookeeper.enforceQuota': 'true',
      'zookeeper.forceSync': 'no',
      'zookeeper.DigestAuthenticationProvider.superDigest': SUPER_DIGEST,
      'znode.container.checkIntervalMs': NEVER_MS,
    },
  })
  const [server] = zooKeeper.servers
  if (server === undefined) throw new Error('no server')
  return {
    port: server.port,
    output: () => server.process?.output() ?? '',
    stop: () => zooKeeper.stop(),
    restart: async (ending) => {
      server.process?.signal(ending)
      await server.process?.ended
      await server.start()
    },
  }
}

/** Starts one of ours as a process with a data directory, set up in the same way. */
export async function startDurable(compiled: CompiledPackage): Promise<DurableServer> {
  const ensemble = await startQuorateEnsemble(compiled, {
    servers: 1,
    config: [
      'extendedTypesEnabled=true',
      'enforceQuota=true',
      `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`,
      `znode.container.checkIntervalMs=${NEVER_MS}`,
    ],
  })
  const [id = 1] = ensemble.ids
  return {
    port: Number(ensemble.addresses.split(':')[1]),
    output: () => ensemble.process(id).output(),
    stop: () => ensemble.stop(),
    restart: async (ending) => {
      ensemble.process(id).signal(ending)
      await ensemble.process(id).ended
      ensemble.start()
      await ensemble.untilServing()
    },
  }
}

/** Starts one of ours, set up in the same way but for what `changes` says. */
export async function startOurs(changes: EmbeddedOptions = {}): Promise<TargetServer> {
  const said: string[] = []
  const ensemble = embedded({
    servers: 1,
    clientPorts: [0],
    maxClientCnxns: 0,
    minSessionTimeoutMs: SESSION_TIMEOUT_MS_MIN,
    maxSessionTimeoutMs: SESSION_TIMEOUT_MS_MAX,
    containerCheckMs: NEVER_MS,
    extendedTypes: true,
    enforceQuota: true,
    superDigest: SUPER_DIGEST,
    onError: (error) => said.push(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    ...changes,
  })
  await ensemble.start()
  return {
    port: ensemble.clientPorts[0] ?? 0,
    output: () => said.join('\n'),
    stop: () => ensemble.close(),
  }
}
