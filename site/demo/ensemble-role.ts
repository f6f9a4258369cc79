/** The worker of the servers: an embedded ensemble in memory, its levers, and what the page shows of it. */
import { memoryEnsemble } from '../../src/backends/embedded/memory-ensemble.ts'
import type { Ensemble } from '../../src/backends/embedded/ensemble.ts'
import type { EnsembleEvent } from '../../src/backends/embedded/ensemble-events.ts'
import type { FromWorker, Lever, ToWorker } from './messages.ts'
import { serveDialer } from './port-channels.ts'

/** Long enough that an election can be watched. */
const TICK_MS = 100
const SHOW_MS = 200

/** Runs the ensemble; answers with what takes the page's messages. */
export function runEnsemble(servers: number, post: (message: FromWorker) => void): (message: ToWorker) => void {
  const ensemble = memoryEnsemble({ servers, tickMs: TICK_MS })
  const cutOff = new Set<number>()
  let shown = ''
  const show = (): void => {
    const views = ensemble.status().map(({ myid, role, serving, epoch }) => {
      return { id: myid, role, serving, epoch, isCutOff: cutOff.has(myid) }
    })
    if (JSON.stringify(views) === shown) return
    shown = JSON.stringify(views)
    post({ kind: 'servers', servers: views })
  }
  ensemble.onEvent((event) => {
    const text = textOf(event)
    if (text !== null) post({ kind: 'event', text })
  })
  const timer = setInterval(show, SHOW_MS)
  const started = ensemble.start()
  return (message) => {
    if (message.kind === 'way') {
      const { port } = message
      void started.then(() => serveDialer(ensemble, port))
    }
    if (message.kind === 'lever') pull(ensemble, cutOff, message.lever, post)
    if (message.kind === 'end') {
      clearInterval(timer)
      void ensemble.close()
    }
  }
}

function pull(ensemble: Ensemble, cutOff: Set<number>, lever: Lever, post: (message: FromWorker) => void): void {
  const isDown = (id: number): boolean => ensemble.status().some(({ myid, role }) => myid === id && role === 'DOWN')
  switch (lever.type) {
    case 'crash':
      return ensemble.crash(lever.server)
    case 'cut':
      cutOff.add(lever.server)
      ensemble.partition([[lever.server]])
      return post({ kind: 'event', text: `Server ${lever.server} is cut off from the others.` })
    case 'heal':
      cutOff.clear()
      ensemble.heal()
      return post({ kind: 'event', text: 'All servers reach each other again.' })
    case 'restart':
      for (const { myid } of ensemble.status()) if (isDown(myid)) ensemble.restart(myid)
  }
}

/** An event in a sentence; null for one that the page does not tell. */
function textOf({ server, event }: EnsembleEvent): string | null {
  switch (event.type) {
    case 'crashed':
      return `Server ${server} has crashed.`
    case 'started':
      return `Server ${server} starts, with what it had written.`
    case 'looking':
      return `Server ${server} looks for a leader: ${event.reason}.`
    case 'elected':
      return `Server ${server} counts the votes of ${event.supporters.join(', ')} for ${event.vote.leader}.`
    case 'serving':
      return `Server ${server} serves, ${event.role.toLowerCase()}.`
    case 'expired':
      return 'A session has ended: nothing was heard of its client.'
    default:
      return null
  }
}
