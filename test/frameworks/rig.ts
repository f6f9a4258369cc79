/** Ensembles, clients and applications of one test, which are closed after it, the last first. */
import { afterEach } from 'vitest'
import { connect } from 'quorate'
import type { Backend, Client } from 'quorate'
import { embedded } from 'quorate/embedded'

/** A short time-out, so that losses are soon noticed. */
export const SESSION_TIMEOUT_MS = 1_500
/** For polls: as long as it takes on a machine under load. */
export const POLL = { timeout: 30_000 }

const opened: (() => Promise<unknown>)[] = []

/** Has a test file close what its tests open. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })
}

/** Closes something after the test. */
export function closeLater(close: () => Promise<unknown>): void {
  opened.push(close)
}

export function newEnsemble(): ReturnType<typeof embedded> {
  const ensemble = embedded({ servers: 1 })
  closeLater(() => ensemble.close())
  return ensemble
}

export async function newClient(backend: Backend): Promise<Client> {
  const client = await connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS })
  closeLater(() => client.close())
  return client
}
