/** One of three servers is left, and serves those who only read, as operators and our own client see it over TCP. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { FairLock, connect } from '../../../src/index.ts'
import { failure } from '../../outcomes.ts'
import { RawClient, answerTo } from './host/clients/raw-client.ts'

const WAIT_MS_MAX = 20_000

let ensemble: Ensemble
beforeEach(async () => {
  ensemble = embedded({
    servers: 3, tickMs: 20, clientPorts: [0, 0, 0], adminPorts: [0, 0, 0], fourLetterWords: ['*'], readOnlyMode: true,
  })
  await ensemble.start()
  await using client = await connect(ensemble)
  await client.create('/a', 'before')
  for (const id of [1, 2]) ensemble.crash(id)
  await vi.waitFor(() => expect(left().readOnly).toBe(true), WAIT_MS_MAX)
})
afterEach(() => ensemble.close())

function left(): ReturnType<Ensemble['status']>[number] {
  const [, , third] = ensemble.status()
  if (third === undefined) throw new Error('there is no third server')
  return third
}

async function admin(command: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`http://127.0.0.1:${ensemble.adminPorts[2]}/commands/${command}`)
  return await answer.json() as Record<string, unknown>
}

describe('a server that is left alone', () => {
  it('says so to operators, in words, JSON and metrics', async () => {
    const port = ensemble.clientPorts[2] ?? 0
    expect(await answerTo(port, 'isro')).toBe('ro')
    const zxid = `0x${left().zxid.toString(16)}`
    const isSaid = /^Zookeeper version: .*\nREAD-ONLY mode; serving only read-only clients\n/
    expect(await answerTo(port, 'srvr')).toMatch(isSaid)
    expect(await answerTo(port, 'stat')).toContain(`Zxid: ${zxid}\nMode: read-only\n`)
    expect(await answerTo(port, 'mntr')).toContain('zk_server_state\tread-only\nzk_peer_state\tlooking\n')
    expect(await admin('is_read_only')).toMatchObject({ read_only: true })
    expect(await admin('server_stats')).toMatchObject({ read_only: true, server_stats: { server_state: 'read-only' } })
    expect(await admin('zabstate')).toMatchObject({ voting: false, zabstate: 'election' })
    const refused = await RawClient.dial(port)
    refused.connect()
    await refused.closed
    expect(refused.messages).toEqual([])
  })

  it('is read by a client that says so, which holds nothing until there is a majority', async () => {
    const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`).join(',')
    const backend = zookeeper(servers, { readOnly: true, sessionTimeoutMs: 1_000 })
    await using client = await connect(backend, { operationTimeoutMs: WAIT_MS_MAX })
    expect(new TextDecoder().decode((await client.get('/a')).data)).toBe('before')
    const refused = failure('READ_ONLY', 'rejected')
    await expect(client.set('/a', 'x')).rejects.toEqual(refused)
    await expect(client.sync('/a')).rejects.toEqual(refused)
    await expect(new FairLock(client, '/lock').acquire()).rejects.toEqual(refused)
    // Its pings are answered, and so are reads; neither proves that it holds anything.
    await new Promise((resolve) => setTimeout(resolve, client.sessionTimeoutMs / 2))
    expect(client.leaseDeadlineMs).toBe(-Infinity)
    const changed = new Promise<void>((resolve) => {
      void client.get('/a', { watch: () => resolve() })
    })

    const { sessionId } = client
    for (const id of [1, 2]) ensemble.restart(id)
    await vi.waitFor(() => expect(client.sessionId).not.toBe(sessionId), WAIT_MS_MAX)
    await client.set('/a', 'after')
    await changed
    await using lease = await new FairLock(client, '/lock').acquire()
    expect([lease.signal.aborted, left().readOnly]).toEqual([false, false])
  })
})
