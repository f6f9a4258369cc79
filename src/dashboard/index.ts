/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The dashboard: a page that shows an ensemble, its tree and what the recipes keep in it, as a handler for `node:http`
 * and what is like it.
 *
 * @packageDocumentation
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { DashboardHandler } from './dashboard.ts'
import { settingsOf } from './options.ts'
import type { DashboardOptions } from './options.ts'
import { BUILT_PAGE } from './page-files.ts'

export type { Family } from './api.ts'
export type { Authorize, DashboardOptions } from './options.ts'
export type { LocalServers } from './servers/local-servers.ts'

/** A dashboard that listens nowhere by itself. */
export interface Dashboard extends AsyncDisposable {
  /**
   * Answers requests of `node:http`. Mount it where nobody but operators comes: whoever reaches it reads every node
   * that its client may read, unless `token` or `authorize` says otherwise.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** Ends the streams of open pages, and the client if it is the dashboard's own. Idempotent. */
  close(): Promise<void>
}

/**
 * Makes a dashboard. Nothing is connected before somebody looks.
 *
 * @param options - through which client or to which engine, and who may look
 * @returns its handler, and how to end it
 * @throws TypeError or RangeError for a wrong option
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  const dashboard = new DashboardHandler(settingsOf(options), BUILT_PAGE)
  const close = (): Promise<void> => dashboard.close()
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    void dashboard.handle(request, response)
  }
  return { handler, close, [Symbol.asyncDispose]: close }
}
