/** The two kinds of servers that are compared, set up alike. */
import { embedded } from 'quorate/embedded'
import type { EmbeddedOptions } from 'quorate/embedded'
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

/** Starts a ZooKeeper with everything that programs use switched on. */
export async function startReal(): Promise<TargetServer> {
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
  const server = zooKeeper.servers[0]
  return {
    port: server?.port ?? 0,
    output: () => server?.process?.output() ?? '',
    stop: () => zooKeeper.stop(),
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
