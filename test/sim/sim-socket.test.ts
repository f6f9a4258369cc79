import { beforeEach, describe, expect, it } from 'vitest'
import { SimSocket } from '../../sim/sockets/sim-socket.ts'
import { Kernel } from '../../src/testing/simulation/kernel.ts'
import { SimNetwork } from '../../src/testing/simulation/network.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'

const WEATHER = { delayMsMin: 1, delayMsMax: 3, tailChance: 0, tailFactor: 1 }

let kernel: Kernel
let network: SimNetwork
let nodes: readonly [SimNode, SimNode]
/** The events of each end, in order; bytes that come one after the other are joined. */
let heard: { readonly a: string[]; readonly b: string[] }
let reads: number

beforeEach(() => {
  kernel = new Kernel({ seed: 7, draining: 'portable' })
  network = new SimNetwork(kernel, new SeededRandom(7), WEATHER)
  nodes = [kernel.addNode('a'), kernel.addNode('b')]
  heard = { a: [], b: [] }
  reads = 0
})

async function pass(ms: number): Promise<void> {
  await kernel.run(kernel.nowMs + ms)
}

function listen(socket: SimSocket, name: 'a' | 'b'): SimSocket {
  const lines = heard[name]
  return socket
    .on('data', (chunk: Buffer) => {
      reads += 1
      const last = lines.at(-1) ?? ''
      if (last.startsWith('>')) lines[lines.length - 1] = last + chunk.toString()
      else lines.push(`>${chunk.toString()}`)
    })
    .on('end', () => lines.push('end'))
    .on('close', () => lines.push('close'))
    .on('error', (error: Error) => lines.push(error.message))
}

/** A socket of each node; `b` takes the dial, or there is nobody. */
async function dial(isTaken = true): Promise<{ readonly a: SimSocket; readonly b: SimSocket }> {
  const within = (_: SimSocket, step: () => void): void => step()
  const world = { network, random: new SeededRandom(9), within }
  const [a, b] = [new SimSocket(world, nodes[0], 'b', 1), new SimSocket(world, nodes[1], 'a', 1)]
  listen(a, 'a').once('connect', () => heard.a.push('connect'))
  SimSocket.join(a, b, () => {
    if (!isTaken) {
      b.refuse()
      return
    }
    b.accept()
    listen(b, 'b')
  })
  await pass(20)
  return { a, b }
}

describe('a simulated socket', () => {
  it('brings bytes in order, in pieces that are cut anywhere, and tells its writer when they are taken', async () => {
    const { a, b } = await dial()
    const text = 'abcdefghij'.repeat(20)
    const taken: number[] = []
    for (let at = 0; at < text.length; at += 10) {
      a.write(Buffer.from(text.slice(at, at + 10)), () => taken.push(at))
    }
    b.write(Buffer.from('back'))
    expect(a.writableLength).toBe(text.length)
    await pass(500)
    expect(heard).toEqual({ a: ['connect', '>back'], b: [`>${text}`] })
    expect([reads > 21, taken.length, a.writableLength]).toEqual([true, 20, 0])
  })

  it('ends each half by itself, after what was written', async () => {
    const { a, b } = await dial()
    a.write(Buffer.from('last'))
    a.end()
    await pass(50)
    expect(heard).toEqual({ a: ['connect'], b: ['>last', 'end'] })
    b.write(Buffer.from('answer'))
    b.end()
    await pass(100)
    expect(heard).toEqual({ a: ['connect', '>answer', 'end', 'close'], b: ['>last', 'end', 'close'] })
  })

  it('keeps what comes while nobody reads, and its end after that', async () => {
    const { a, b } = await dial()
    b.pause()
    a.write(Buffer.from('kept'))
    a.end()
    await pass(50)
    expect(heard.b).toEqual([])
    b.resume()
    await pass(100)
    expect(heard.b).toEqual(['>kept', 'end'])
  })

  it('is refused where nobody listens, and reset by an end that is gone or a process that is over', async () => {
    await dial(false)
    expect(heard.a).toEqual(['ECONNREFUSED', 'close'])
    heard = { a: [], b: [] }
    const gone = await dial()
    gone.b.destroy()
    gone.a.write(Buffer.from('late'))
    await pass(100)
    expect(heard.a).toEqual(['connect', 'end', 'ECONNRESET', 'close'])
    heard = { a: [], b: [] }
    const dead = await dial()
    kernel.kill(nodes[1])
    dead.b.died()
    await pass(200)
    expect(heard).toEqual({ a: ['connect', 'ECONNRESET', 'close'], b: [] })
  })

  it('is half-open while a direction is blocked, and loses what is under way when it is cut', async () => {
    const { a, b } = await dial()
    network.block('a', 'b')
    a.write(Buffer.from('held'))
    await pass(100)
    expect([heard.b, a.writableLength]).toEqual([[], 4])
    network.unblock('a', 'b')
    await pass(150)
    a.write(Buffer.from('lost'))
    for (const end of [a, b]) end.break()
    await pass(300)
    expect(heard).toEqual({ a: ['connect', 'ECONNRESET', 'close'], b: ['>held', 'ECONNRESET', 'close'] })
  })
})
