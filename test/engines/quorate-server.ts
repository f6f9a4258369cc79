/**
 * `quorate server` as a process of its own, and the package compiled for processes: Node.js 20 does not run TypeScript.
 *
 * Use       const compiled = compiledPackage()
 *           const server = await startQuorateServer(compiled)   // connect to zookeeper(server.address)
 */
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPackageInto, scratchFolder } from '../support/compiled.ts'
import { freePort, isListening, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'

/** The package in a folder, as npm would install it: programs in the folder import it by its name. */
export interface CompiledPackage {
  readonly path: string
  remove(): void
}

/** A server in memory, whose data end with it. */
export interface QuorateServer {
  /** `127.0.0.1:port`. */
  readonly address: string
  readonly port: number
  readonly process: EngineProcess
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TICK_MS = 20

/** Builds the package; whoever asked for it removes it. */
export function compiledPackage(): CompiledPackage {
  const path = scratchFolder()
  buildPackageInto(join(path, 'dist'))
  copyFileSync(join(ROOT, 'package.json'), join(path, 'package.json'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/**
 * Starts a server with short ticks; resolves when it serves.
 *
 * @param more - more lines of its configuration
 * @param nodeOptions - options of Node.js
 */
export async function startQuorateServer(
  compiled: CompiledPackage,
  more: Readonly<Record<string, string | number>> = {},
  nodeOptions: readonly string[] = [],
): Promise<QuorateServer> {
  const port = await freePort()
  const settings = {
    tickTime: TICK_MS,
    clientPort: port,
    clientPortAddress: '127.0.0.1',
    maxClientCnxns: 0,
    maxSessionTimeout: 60_000,
    extendedTypesEnabled: true,
    'znode.container.checkIntervalMs': TICK_MS,
    ...more,
  }
  const file = join(compiled.path, `zoo-${port}.cfg`)
  writeFileSync(file, Object.entries(settings).map(([key, value]) => `${key}=${value}\n`).join(''))
  const main = join(compiled.path, 'dist/cli/main.js')
  const process = startProcess(globalThis.process.execPath, [...nodeOptions, main, 'server', file])
  await untilReady(process, () => isListening(port))
  return { address: `127.0.0.1:${port}`, port, process }
}
