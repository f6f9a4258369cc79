import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort, freePorts } from './process.ts'

const HANDED_OUT = '/proc/sys/net/ipv4/ip_local_port_range'

describe('a port for an engine', () => {
  it('is none that the system gives to whoever asks for any', async () => {
    const ports = await freePorts(100)
    expect(new Set(ports).size).toBe(ports.length)
    const [first = 0] = existsSync(HANDED_OUT) ? readFileSync(HANDED_OUT, 'utf8').split('\t').map(Number) : [49_152]
    expect(Math.max(...ports)).toBeLessThan(first)
  })

  it('is none on which somebody listens', async () => {
    const next = (await freePort()) + 1
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(next, '127.0.0.1', resolve))
    expect(await freePort()).not.toBe(next)
    await new Promise((resolve) => taken.close(resolve))
  })
})
