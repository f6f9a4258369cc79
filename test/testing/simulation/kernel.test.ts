import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../src/core/connect.ts'
import { modelBackend } from '../../../src/testing/index.ts'
import { Kernel } from '../../../src/testing/simulation/kernel.ts'
import type { Draining } from '../../../src/testing/simulation/kernel.ts'

let kernel: Kernel

afterEach(() => {
  kernel.uninstall()
})

function install(seed = 1, draining: Draining = 'native'): Kernel {
  kernel = new Kernel({ seed, draining })
  kernel.install()
  return kernel
}

describe('the kernel', () => {
  const ways: readonly Draining[] = ['native', 'portable']

  it.each(ways)('runs timers in virtual time, and promises behind each (%s)', async (draining) => {
    const sim = install(1, draining)
    const node = sim.addNode('n')
    const log: string[] = []
    sim.after(0, node, 'start', () => {
      void (async () => {
        const start = performance.now()
        await new Promise((resolve) => setTimeout(resolve, 3_600_000))
        log.push(`an hour: ${performance.now() - start}`)
        await Promise.resolve()
        log.push('and a microtask')
      })()
      setTimeout(() => log.push('a minute'), 60_000)
    })
    await sim.run(Infinity)
    expect(log).toEqual(['a minute', 'an hour: 3600000', 'and a microtask'])
    expect(sim.nowMs).toBe(3_600_000)
  })

  it('keeps a clock a node: it may run fast, stand ahead, and wait while the node is paused', async () => {
    const sim = install()
    const fast = sim.addNode('fast')
    fast.setRate(2, 0)
    fast.wallOffsetMs = 86_400_000
    const fired: number[] = []
    sim.after(0, fast, 'start', () => {
      setTimeout(() => fired.push(sim.nowMs), 1_000)
    })
    await sim.run(100)
    expect(fired).toEqual([])
    fast.pausedUntilMs = 700
    await sim.run(2_000)
    expect(fired).toEqual([700])
  })

  it('forgets a timer that is cleared by another when both come due at the end of a pause', async () => {
    const sim = install()
    const node = sim.addNode('n')
    const fired: string[] = []
    sim.after(0, node, 'start', () => {
      setTimeout(() => {
        fired.push('first')
        clearTimeout(second)
      }, 10)
      const second = setTimeout(() => fired.push('second'), 20)
    })
    await sim.run(5)
    node.pausedUntilMs = 100
    await sim.run(200)
    expect([fired, node.timerCount]).toEqual([['first'], 0])
  })

  it('runs the immediates of a busy node in order, at one instant, when its turn ends', async () => {
    const sim = install()
    const [busy, idle] = [sim.addNode('busy'), sim.addNode('idle')]
    busy.turnMsMax = 20
    busy.setRate(1.1, 0)
    const ran = new Map<string, number>()
    const later = (what: string) => () => {
      setImmediate(() => {
        ran.set(what, sim.nowMs)
        if (what === 'second') setImmediate(() => ran.set('of the next turn', sim.nowMs))
      })
    }
    sim.after(0, busy, 'start', later('first'))
    sim.after(0.3, busy, 'start', later('second'))
    sim.after(0.7, busy, 'start', later('third'))
    sim.after(0, idle, 'start', later('idle'))
    await sim.run(Infinity)
    expect([...ran.keys()]).toEqual(['idle', 'first', 'second', 'third', 'of the next turn'])
    const [, first = 0, second, third, next] = ran.values()
    expect([second, third]).toEqual([first, first])
    expect(first).toBeGreaterThan(0.7)
    expect(first).toBeLessThanOrEqual(20)
    expect(next).toBeGreaterThan(first)
  })

  it('kills the timers of a node that dies', async () => {
    const sim = install()
    const node = sim.addNode('n')
    let fired = false
    sim.after(0, node, 'start', () => {
      setTimeout(() => {
        fired = true
      }, 10)
    })
    sim.after(5, null, 'crash', () => {
      sim.kill(node)
    })
    await sim.run(100)
    expect(fired).toBe(false)
    expect(node.timerCount).toBe(0)
  })

  it('gives the same trace for the same seed, in both ways of draining, with real clients and retries', async () => {
    const hashes: number[] = []
    for (const draining of ['native', 'native', 'portable'] as const) {
      const sim = install(7, draining)
      const node = sim.addNode('client')
      let done = false
      sim.after(0, node, 'start', () => {
        void (async () => {
          const client = await connect(modelBackend({ latencyMs: 3 }))
          for (let i = 0; i < 20; i++) {
            await client.create(`/${crypto.randomUUID()}`, String(Math.random()))
            await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
          }
          await client.close()
          done = true
        })()
      })
      await sim.run(Infinity)
      expect(done).toBe(true)
      hashes.push(sim.hash)
      sim.uninstall()
    }
    expect(new Set(hashes).size).toBe(1)
  })

  it('puts the real globals back', async () => {
    const real = [setTimeout, setImmediate, Date, crypto.randomUUID, Math.random]
    install().uninstall()
    expect([setTimeout, setImmediate, Date, crypto.randomUUID, Math.random]).toEqual(real)
    const startMs = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(performance.now()).toBeGreaterThan(startMs)
  })

  it('ends a run with the error of a monitor', async () => {
    const sim = install()
    sim.addMonitor(() => {
      if (sim.nowMs >= 5) throw new Error('something is wrong with the world')
    })
    for (let i = 0; i < 10; i++) sim.after(i, null, 'tick', () => undefined)
    await expect(sim.run(Infinity)).rejects.toThrow('something is wrong with the world')
    expect(sim.nowMs).toBe(5)
  })
})
