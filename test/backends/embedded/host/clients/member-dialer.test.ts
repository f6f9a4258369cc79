import { afterEach, describe, expect, it, vi } from 'vitest'
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
  /** Whether the own server serves; those who wait for that wait in `waiting`. */
  isServing = true
  readonly waiting: (() => void)[] = []
  readonly #dialer: MemberDialer

  constructor({ mayReturn = true } = {}) {
    const own = { dialer: this.#side('own', 1), mayReturn, ...this.#serving }
    this.#dialer = new MemberDialer(own, this.#side('other', 2))
  }

  readonly #serving = {
    untilServing: (signal: AbortSignal) => new Promise<void>((resolve, reject) => {
      if (this.isServing) resolve()
      else this.waiting.push(resolve)
      signal.addEventListener('abort', reject)
    }),
  }

  dial(): Channel {
    return this.#dialer.dial({
      onMessage: (message) => this.heard.push(message),
      onClose: (reason) => this.reasons.push(reason),
    })
  }

  /** Whether its own server is preferred to the one that was dialled last. */
  preferred(signal = new AbortController().signal): Promise<boolean> {
    return this.#dialer.preferred(signal)
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

afterEach(() => {
  vi.useRealTimers()
})

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

  it('does not leave its own server for any other', async () => {
    const rig = new Rig()
    rig.dial()
    expect(await rig.preferred()).toBe(false)
  })

  it('prefers its own server once that serves, and a second after it came to another', async () => {
    vi.useFakeTimers()
    const rig = new Rig()
    rig.isServing = false
    for (let count = 0; count < 2; count++) rig.dial()
    const preferred = rig.preferred()
    await vi.advanceTimersByTimeAsync(999)
    expect(rig.waiting).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    rig.waiting[0]?.()
    expect(await preferred).toBe(true)
  })

  it('stays at another server where its session would end by the move', async () => {
    const rig = new Rig({ mayReturn: false })
    for (let count = 0; count < 2; count++) rig.dial()
    expect(await rig.preferred()).toBe(false)
  })

  it('waits twice as long each time that its own server did not take it, until it has', async () => {
    vi.useFakeTimers()
    const rig = new Rig()
    const awayMs = async (): Promise<number> => {
      rig.dial()
      const beganMs = Date.now()
      const preferred = rig.preferred()
      await vi.runAllTimersAsync()
      expect(await preferred).toBe(true)
      rig.last.listener.onMessage(CONNECTED)
      rig.last.listener.onMessage(existence(Err.ok))
      rig.dial()
      return Date.now() - beganMs
    }
    rig.dial()
    const times = [await awayMs(), await awayMs(), await awayMs()]
    rig.last.listener.onMessage(CONNECTED)
    rig.dial()
    expect(rig.places.at(-1)).toBe('own')
    expect([...times, await awayMs()]).toEqual([1_000, 2_000, 4_000, 1_000])
  })

  it('waits no longer once it has left the other server', async () => {
    vi.useFakeTimers()
    const rig = new Rig()
    for (let count = 0; count < 2; count++) rig.dial()
    const leaving = new AbortController()
    const preferred = rig.preferred(leaving.signal)
    leaving.abort()
    expect(await preferred).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
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
