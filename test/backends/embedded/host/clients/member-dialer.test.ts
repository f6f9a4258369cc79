import { describe, expect, it } from 'vitest'
import type { Channel, ChannelListener, Dialer } from '../../../../../src/backends/client/channel.ts'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import type { ClientMessage, ServerMessage } from '../../../../../src/backends/wire/records.ts'
import { MemberDialer } from '../../../../../src/backends/embedded/host/clients/member-dialer.ts'

/** A connection that was dialled; the test is its server. */
interface Dialled {
  readonly to: string
  readonly sent: ClientMessage[]
  readonly listener: ChannelListener
  isClosed: boolean
}

class Rig {
  readonly dialled: Dialled[] = []
  readonly heard: ServerMessage[] = []
  readonly reasons: (string | undefined)[] = []
  readonly #dialer = new MemberDialer(this.#side('own', 1), this.#side('other', 2))

  dial(): Channel {
    return this.#dialer.dial({
      onMessage: (message) => this.heard.push(message),
      onClose: (reason) => this.reasons.push(reason),
    })
  }

  get last(): Dialled {
    return this.dialled.at(-1) as Dialled
  }

  get places(): string[] {
    return this.dialled.map(({ to }) => to)
  }

  #side(to: string, serverCount: number): Dialer {
    return {
      serverCount,
      dial: (listener) => {
        const dialled: Dialled = { to, sent: [], listener, isClosed: false }
        this.dialled.push(dialled)
        return {
          server: to,
          send: (message) => dialled.sent.push(message),
          close: () => {
            dialled.isClosed = true
            listener.onClose('closed here')
          },
        }
      },
    }
  }
}

const CONNECTED: ServerMessage = {
  kind: 'connect',
  response: { protocolVersion: 0, timeOut: 1_000, sessionId: 1n, passwd: new Uint8Array(16), readOnly: false },
}

function existence(err: number): ServerMessage {
  return { kind: 'reply', op: OpCode.exists, reply: { xid: 0, zxid: 0n, err, body: null } }
}

describe('a client of a server in its process', () => {
  it('asks its own server first, then the others, and its own again after each that has answered', () => {
    const rig = new Rig()
    for (let count = 0; count < 4; count++) rig.dial()
    expect(rig.places).toEqual(['own', 'other', 'other', 'own'])
    rig.dial()
    rig.last.listener.onMessage(CONNECTED)
    rig.last.listener.onMessage(existence(Err.ok))
    rig.dial()
    expect(rig.places.slice(4)).toEqual(['other', 'own'])
  })

  it('hears of a session at another server when that has said that it is one of ours', () => {
    const rig = new Rig()
    rig.dial()
    rig.dial()
    rig.last.listener.onMessage(CONNECTED)
    expect(rig.heard).toEqual([])
    expect(rig.last.sent).toMatchObject([{ kind: 'request', request: { op: OpCode.exists } }])
    rig.last.listener.onMessage(existence(Err.ok))
    rig.last.listener.onMessage(existence(Err.ok))
    expect(rig.heard).toEqual([CONNECTED, existence(Err.ok)])
  })

  it('leaves a server that is not', () => {
    const rig = new Rig()
    rig.dial()
    rig.dial()
    rig.last.listener.onMessage(CONNECTED)
    rig.last.listener.onMessage(existence(Err.noNode))
    expect([rig.last.isClosed, rig.heard, rig.reasons]).toEqual([true, [], ['other is no server of Quorate']])
  })

  it('is told by any server that its session is over', () => {
    const rig = new Rig()
    rig.dial()
    rig.dial()
    const over: ServerMessage = { kind: 'connect', response: { ...CONNECTED.response, timeOut: 0 } }
    rig.last.listener.onMessage(over)
    expect(rig.heard).toEqual([over])
  })
})
