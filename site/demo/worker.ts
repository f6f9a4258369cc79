/** A worker of the demonstration: the page says whether it has the servers or a client. */
import type { FromWorker, ToWorker } from './messages.ts'
import { installGlobals } from './platform/globals.ts'

installGlobals()

const post = (message: FromWorker): void => self.postMessage(message)
const take = begin()

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  void take(data)
})

/** The first message chooses the role; those that come while its code is loaded wait in order. */
function begin(): (message: ToWorker) => Promise<void> {
  let role: Promise<(message: ToWorker) => void> | null = null
  return async (message) => {
    if (role === null) role = roleOf(message)
    else (await role)(message)
  }
}

async function roleOf(message: ToWorker): Promise<(message: ToWorker) => void> {
  if (message.kind === 'ensemble') return (await import('./ensemble-role.ts')).runEnsemble(message.servers, post)
  if (message.kind === 'client') return (await import('./client-role.ts')).runClient(message, post)
  throw new TypeError(`a worker begins with its role, not with ${message.kind}`)
}
