/**
 * Cuts what a client asks for in one go into parts, where the server may do something else between them.
 *
 * Order     the parts come one after the other, before whatever the client asks for next; the last one is answered. A
 *           watch of a later part is armed later, or its change is told then: as if the client had sent more requests.
 * Whole     a request with watches that last stays whole: if they are too many, none of it may be armed.
 */
import { OpCode } from '../../../wire/codes.ts'
import type { ClientMessage, SetWatchesRequest } from '../../../wire/records.ts'

/** So many watches are armed in one go: some milliseconds. */
const WATCHES_AT_ONCE = 2_000

const NO_PATHS: readonly string[] = Object.freeze([])

/** The parts of a message, in order; the message itself if it is small, or cannot be cut. */
export function partsOf(message: ClientMessage): Iterable<ClientMessage> {
  if (message.kind !== 'request') return [message]
  const { request } = message
  if (request.op !== OpCode.setWatches && request.op !== OpCode.setWatches2) return [message]
  const { dataWatches, existWatches, childWatches } = request.body
  if (dataWatches.length + existWatches.length + childWatches.length <= WATCHES_AT_ONCE) return [message]
  const lasting = 'persistentWatches' in request.body ? request.body : null
  if (lasting !== null && lasting.persistentWatches.length + lasting.persistentRecursiveWatches.length > 0) {
    return [message]
  }
  const { xid } = request
  const messages: ClientMessage[] = cut(request.body).map((body) => {
    return { kind: 'request', request: { xid, op: OpCode.setWatches, body }, isPart: true }
  })
  const empty = { dataWatches: NO_PATHS, existWatches: NO_PATHS, childWatches: NO_PATHS }
  const rest = { ...request, body: { ...request.body, ...empty } } as typeof request
  return [...messages, { kind: 'request', request: rest }]
}

function cut({ relativeZxid, dataWatches, existWatches, childWatches }: SetWatchesRequest): SetWatchesRequest[] {
  const lists = { dataWatches, existWatches, childWatches }
  const parts: SetWatchesRequest[] = []
  for (const [kind, paths] of Object.entries(lists)) {
    for (let from = 0; from < paths.length; from += WATCHES_AT_ONCE) {
      const none = { relativeZxid, dataWatches: NO_PATHS, existWatches: NO_PATHS, childWatches: NO_PATHS }
      parts.push({ ...none, [kind]: paths.slice(from, from + WATCHES_AT_ONCE) })
    }
  }
  return parts
}
