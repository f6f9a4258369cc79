/** The end of an ensemble: what is in flight is answered first, within a limit. */
import { afterEach, describe, expect, it } from 'vitest'
import { CreateFlag, Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { connect } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { EmbeddedOptions, Ensemble } from 'quorate/embedded'
import { RawClient } from './host/clients/raw-client.ts'
import type { OpenClient } from './host/clients/raw-client.ts'

const REQUESTS = 500
/** More than the kernel takes of what a client does not read. */
const LARGE_BYTES = 500_000

let ensemble: Ensemble | null = null

async function start(options: EmbeddedOptions): Promise<Ensemble> {
  ensemble = embedded({ maxClientCnxns: 0, ...options })
  await ensemble.start()
  return ensemble
}

afterEach(async () => {
  await ensemble?.close()
})

function create(path: string, data = new Uint8Array()) {
  return { path, data, acl: OPEN_ACL, flags: CreateFlag.persistent }
}

/** Sends creates in one write. */
function pipeline(client: OpenClient, name: string, count: number): void {
  const frames = Array.from({ length: count }, (_, i) => client.encode(OpCode.create2, create(`/${name}-${i}`)))
  client.socket.write(Buffer.concat(frames))
}

function answers(client: OpenClient): number {
  return client.messages.filter((message) => message.kind === 'reply' && message.reply.err === Err.ok).length
}

describe('close', () => {
  it.each([[1], [3]])('answers what clients of %d servers have in flight, then ends', async (servers) => {
    const { clientPorts } = await start({ servers, clientPorts: Array.from({ length: servers }, () => 0) })
    const clients = await Promise.all(clientPorts.map((port) => RawClient.open(port)))
    for (const [index, client] of clients.entries()) pipeline(client, `n${index}`, REQUESTS)
    // They are in the sockets of the server, and not read yet.
    await new Promise((resolve) => setImmediate(resolve))
    await ensemble?.close()
    await Promise.all(clients.map((client) => client.closed))
    expect(clients.map(answers)).toEqual(clients.map(() => REQUESTS))
    expect(ensemble?.status().map(({ role }) => role)).toEqual(clients.map(() => 'DOWN'))
  })

  it('answers clients of this process, too', async () => {
    await start({ servers: 3 })
    const client = await connect(ensemble as Ensemble)
    const writes = Array.from({ length: REQUESTS }, (_, i) => client.create(`/n${i}`))
    const closed = ensemble?.close()
    await Promise.all(writes)
    await closed
    await client.close()
  })

  it('takes no more than what came before, from whoever goes on to ask', async () => {
    const { clientPorts } = await start({ servers: 1, clientPorts: [0] })
    const client = await RawClient.open(clientPorts[0] ?? 0)
    let sent = 0
    const asking = setInterval(() => {
      sent += 1
      if (!client.isClosed) client.send(OpCode.create2, create(`/${sent}`))
    }, 1)
    pipeline(client, 'n', REQUESTS)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await ensemble?.close()
    await client.closed
    clearInterval(asking)
    expect(answers(client)).toBeGreaterThanOrEqual(REQUESTS)
    await expect(RawClient.dial(clientPorts[0] ?? 0)).rejects.toThrow('ECONNREFUSED')
  })

  it('waits no longer than it is told for a client that does not read', async () => {
    const { clientPorts } = await start({ servers: 1, clientPorts: [0], drainMs: 300 })
    const client = await RawClient.open(clientPorts[0] ?? 0)
    await client.ask(OpCode.create2, create('/large', new Uint8Array(LARGE_BYTES)))
    client.socket.pause()
    for (let i = 0; i < 100; i++) client.send(OpCode.getData, { path: '/large', watch: false })
    await new Promise((resolve) => setTimeout(resolve, 100))
    const begunMs = performance.now()
    await ensemble?.close()
    const tookMs = performance.now() - begunMs
    expect(tookMs).toBeGreaterThanOrEqual(299)
    client.socket.destroy()
  })

  it('waits no longer than it is told for what a majority would have to confirm', async () => {
    await start({ servers: 3, drainMs: 200, syncLimitTicks: 1_000 })
    const client = await connect((ensemble as Ensemble).at(1))
    ensemble?.partition([[1], [2], [3]])
    const write = client.create('/n').then(() => 'done', () => 'lost')
    const begunMs = performance.now()
    await ensemble?.close()
    expect(performance.now() - begunMs).toBeGreaterThanOrEqual(199)
    await client.close()
    expect(await write).toBe('lost')
  })

  it('ends at once where nothing is in flight', async () => {
    await start({ servers: 3, clientPorts: [0, 0, 0] })
    const client = await connect(ensemble as Ensemble)
    await client.create('/n')
    await client.close()
    void ensemble?.close()
    expect(ensemble?.status().map(({ role }) => role)).toEqual(['DOWN', 'DOWN', 'DOWN'])
  })

  it('is the same close for everybody who calls it', async () => {
    await start({ servers: 1 })
    const first = ensemble?.close()
    expect(ensemble?.close()).toBe(first)
    await first
  })
})
