/**
 * Cuts a client's large request into parts, where the server may do something else between them.
 *
 * Order     the parts come one after the other, before whatever the client asks for next; the last one is answered. To
 *           the client they look like one request (server/clients/rearming.ts).
 */
import { OpCode } from '../../../wire/codes.ts'
import type { ClientMessage, RequestPart, SetWatches2Request, SetWatchesRequest } from '../../../wire/records.ts'
import { pathBytesOf } from '../../server/clients/watch-table.ts'

/** Watches that are armed in one go: some milliseconds. */
const WATCHES_AT_ONCE = 2_000

const NO_PATHS: readonly string[] = Object.freeze([])

/** Watches that are told once. */
const ONCE = ['dataWatches', 'existWatches', 'childWatches'] as const
/** Watches that last; each stands in two tables. */
const LASTING = ['persistentWatches', 'persistentRecursiveWatches'] as const

/** The parts of a message, in order; the message itself if it is small, or cannot be cut. */
export function partsOf(message: ClientMessage): Iterable<ClientMessage> {
  if (message.kind !== 'request') return [message]
  const { request } = message
  if (request.op !== OpCode.setWatches && request.op !== OpCode.setWatches2) return [message]
  const { xid } = request
  const whole = bodyOf(request.body)
  const once = ONCE.flatMap((kind) => whole[kind])
  const lasting = LASTING.flatMap((kind) => whole[kind])
  if (once.length + lasting.length <= WATCHES_AT_ONCE) return [message]
  const room = lasting.length === 0 ? null : roomOf(once, lasting)
  const part: RequestPart = { room }
  const messages: ClientMessage[] = cut(whole).map((body) => {
    return { kind: 'request', request: { xid, op: OpCode.setWatches2, body }, part }
  })
  const rest = { ...request, body: bodyOf({ relativeZxid: whole.relativeZxid }) } as typeof request
  return [...messages, { kind: 'request', request: rest }]
}

function cut(whole: SetWatches2Request): SetWatches2Request[] {
  const { relativeZxid } = whole
  const parts: SetWatches2Request[] = []
  for (const kind of [...ONCE, ...LASTING]) {
    const paths = whole[kind]
    for (let from = 0; from < paths.length; from += WATCHES_AT_ONCE) {
      parts.push(bodyOf({ relativeZxid, [kind]: paths.slice(from, from + WATCHES_AT_ONCE) }))
    }
  }
  return parts
}

function bodyOf(given: Pick<SetWatchesRequest, 'relativeZxid'> & Partial<SetWatches2Request>): SetWatches2Request {
  return {
    dataWatches: NO_PATHS,
    existWatches: NO_PATHS,
    childWatches: NO_PATHS,
    persistentWatches: NO_PATHS,
    persistentRecursiveWatches: NO_PATHS,
    ...given,
  }
}

/** The room that watches need, each as if no other had its path. */
function roomOf(once: readonly string[], lasting: readonly string[]): RequestPart['room'] {
  const bytes = [...once, ...lasting, ...lasting].reduce((sum, path) => sum + pathBytesOf(path), 0)
  return { watches: once.length + 2 * lasting.length, bytes }
}
