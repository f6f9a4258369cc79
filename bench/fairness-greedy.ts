/**
 * The greedy client of the suite `fairness`: `node fairness-greedy.js <port>`, until it is killed. It never waits for
 * an answer, and reads them without a look.
 */
import { connect } from 'node:net'
import { pathToFileURL } from 'node:url'
import { OpCode } from '../src/backends/wire/codes.ts'
import { ClientWire } from '../src/backends/wire/wire.ts'
import type { Request } from '../src/backends/wire/records.ts'

/** The node with many children, and the one with much data. */
export const LIST_PATH = '/fairness-list'
export const BIG_PATH = '/fairness-big'

const BIG_BYTES = 0x4_0000
const SESSION_TIMEOUT_MS = 60_000
const PASSWORD_BYTES = 16
const REQUESTS_AT_ONCE = 300

function beGreedy(port: number): void {
  const wire = new ClientWire()
  const session = { timeOut: SESSION_TIMEOUT_MS, sessionId: 0n, passwd: new Uint8Array(PASSWORD_BYTES) }
  const socket = connect(port, '127.0.0.1')
  socket.resume()
  socket.on('close', () => process.exit(1))
  socket.on('error', () => undefined)
  const request = { protocolVersion: 0, lastZxidSeen: 0n, ...session, readOnly: false }
  socket.write(wire.encode({ kind: 'connect', request }))
  const data = new Uint8Array(BIG_BYTES)
  const kinds = [
    { op: OpCode.getChildren2, body: { path: LIST_PATH, watch: false } },
    { op: OpCode.getData, body: { path: BIG_PATH, watch: false } },
    { op: OpCode.setData, body: { path: BIG_PATH, data, version: -1 } },
  ]
  const requests = Array.from({ length: REQUESTS_AT_ONCE }, (_, i) => {
    const request = { xid: i + 1, ...kinds[i % kinds.length] } as Request
    return new ClientWire().encode({ kind: 'request', request }).slice()
  })
  // A client has greeted before: what encodes a request does not mind.
  const all = Buffer.concat(requests)
  const send = (): void => {
    while (socket.write(all)) continue
    socket.once('drain', send)
  }
  send()
}

const [, script = '', port] = process.argv
if (import.meta.url === pathToFileURL(script).href) beGreedy(Number(port))
