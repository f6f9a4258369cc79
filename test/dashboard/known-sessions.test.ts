/** Sessions in answers to `dump` and `cons`, in the form of ZooKeeper 3.8; engines.test.ts asks a real one. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { askedSessions, connectedIn, ephemeralsIn } from '../../src/dashboard/servers/known-sessions.ts'

const DUMP = `SessionTracker dump:
Session Sets (1)/(1):
1 expire at Mon Nov 30 14:00:02 UTC 2026:
\t0x100000b3c2d0000
ephemeral nodes dump:
Sessions with Ephemerals (2):
0x100000b3c2d0000:
\t/locks/a b/lock-0000000001
\t/members/worker-1
0x200000b3c2d0001:
\t/members/worker-2
Connections dump:
Connections Sets (1)/(1):
1 expire at Mon Nov 30 14:00:02 UTC 2026:
\tip: /127.0.0.1:40912 sessionId: 0x100000b3c2d0000
`
const CONS = ` /127.0.0.1:40912[1](queued=0,recved=4,sent=4,sid=0x100000b3c2d0000,lop=GETD,est=1790000000000,to=30000,\
lcxid=0x2,lzxid=0x5,lresp=3,llat=0,minlat=0,avglat=0,maxlat=2)
 /[0:0:0:0:0:0:0:1]:40914[0](queued=0,recved=1,sent=0)

`

describe('what servers tell of sessions in words', () => {
  it('is who owns which nodes', () => {
    expect([...(ephemeralsIn(DUMP) ?? [])]).toEqual([
      ['0x100000b3c2d0000', ['/locks/a b/lock-0000000001', '/members/worker-1']],
      ['0x200000b3c2d0001', ['/members/worker-2']],
    ])
  })

  it('is where clients are that have a session', () => {
    expect(connectedIn('zk-1:2181', CONS)).toEqual([
      { id: '0x100000b3c2d0000', timeoutMs: 30_000, server: 'zk-1:2181', address: '127.0.0.1:40912' },
    ])
  })

  it.each(['', 'dump is not executed because it is not in the whitelist.\n', '\0'.repeat(100), '0x1:\n\t/a\n'])(
    'is nothing where a server answers %j',
    (text) => {
      expect(ephemeralsIn(text)).toBeNull()
      expect(connectedIn('a:1', text)).toEqual([])
    },
  )

  it('does not say that nothing goes with a session where `dump` is not answered', async () => {
    const refused = 'dump is not executed because it is not in the whitelist.\n'
    const answers: Record<string, string> = { cons: CONS, dump: refused }
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (word) => socket.end(answers[word.toString()] ?? ''))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const ask = (): ReturnType<typeof askedSessions> => {
      return askedSessions([{ host: '127.0.0.1', port }], AbortSignal.timeout(5_000))
    }
    expect(await ask()).toMatchObject([{ id: '0x100000b3c2d0000', ephemerals: null }])
    answers['dump'] = DUMP
    expect(await ask()).toMatchObject([
      { id: '0x100000b3c2d0000', ephemerals: ['/locks/a b/lock-0000000001', '/members/worker-1'] },
      { id: '0x200000b3c2d0001', server: null, ephemerals: ['/members/worker-2'] },
    ])
    answers['cons'] = ''
    answers['dump'] = ''
    expect(await ask()).toBeNull()
    server.close()
  })
})
