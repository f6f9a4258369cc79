/**
 * The dashboard on a port of its own, for `quorate dashboard` and `quorate server --dashboard`.
 *
 * Output    one line on standard output when it serves: the address to open, with the token if there is one.
 */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { whenAborted } from '../core/async.ts'
import type { Dashboard, DashboardOptions } from '../dashboard/index.ts'
import { Failure, UsageError } from './exit-status.ts'
import type { Output } from './output.ts'

/** Where it is served. */
export interface DashboardPlace {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  readonly options: Pick<DashboardOptions, 'token'>
}

/** Where it is served unless something else is said. */
export const DASHBOARD_PORT = 8686
/** On this machine alone. */
export const DASHBOARD_HOST = '127.0.0.1'

const CONNECTIONS_MAX = 256
const PORT_MAX = 65_535

/** The port that an option names. Throws UsageError if it is none. */
export function dashboardPortOf(name: string, text = String(DASHBOARD_PORT)): number {
  if (/^\d+$/.test(text) && Number(text) <= PORT_MAX) return Number(text)
  throw new UsageError(`${name} must be a port from 0 to ${PORT_MAX}, got ${JSON.stringify(text)}`)
}

/**
 * Serves until a signal ends it, and then closes the dashboard.
 *
 * @throws Failure if the port is taken
 */
export async function serveDashboard(
  dashboard: Dashboard,
  { host, port, options }: DashboardPlace,
  output: Output,
  stop: AbortSignal,
): Promise<void> {
  const server = createServer(dashboard.handler)
  server.maxConnections = CONNECTIONS_MAX
  try {
    await listen(server, host, port)
    const own = (server.address() as AddressInfo).port
    const shown = host.includes(':') ? `[${host}]` : host
    const token = options.token === undefined ? '' : `#token=${encodeURIComponent(options.token)}`
    output.out(`the dashboard is at http://${shown}:${own}/${token}\n`)
    await new Promise<void>((resolve) => whenAborted(stop, resolve))
  } finally {
    await dashboard.close()
    server.close()
    server.closeAllConnections()
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'it is taken' : cause.message
      reject(new Failure(`cannot listen on ${host}:${port} for the dashboard: ${reason}`))
    })
    server.listen({ host, port, exclusive: true }, resolve)
  })
}
