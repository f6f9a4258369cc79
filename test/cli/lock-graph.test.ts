/** `locks --graph`: who waits for whom, and possible deadlocks, against a server in this process. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { ShellRig } from './shell-rig.ts'
import type { TestShell } from './shell-rig.ts'

const rig = new ShellRig()
let shell: TestShell
let clients: Client[]

beforeAll(async () => {
  await rig.start()
  shell = await rig.shell()
  clients = await Promise.all([1, 2, 3].map(() => connect(zookeeper(rig.address))))
})

afterAll(async () => {
  for (const client of clients) await client.close()
  await rig.close()
})

/** Waits for a lock until the test ends; its place in the queue is there when this resolves. */
async function waits(client: Client, path: string, data: string): Promise<void> {
  const before = await client.children(path)
  new FairLock(client, path).acquire({ data }).catch(() => undefined)
  while ((await client.children(path)).names.length === before.names.length);
}

describe('locks --graph', () => {
  it('shows who holds one lock and waits for another, and marks a ring, with a status of its own', async () => {
    const [one, two, three] = clients as [Client, Client, Client]
    const id = (client: Client): string => `0x${(client.sessionId ?? 0n).toString(16)}`
    expect(await shell.ok('locks --graph')).toBe('nobody holds a lock and waits for another\n')
    await new FairLock(one, '/locks/a').acquire()
    await new FairLock(two, '/locks/b').acquire()
    await new FairLock(three, '/locks/c').acquire()
    await waits(three, '/locks/a', 'cart-3')
    expect(await shell.ok('locks --graph /locks')).toBe(
      `  ${id(three)} (cart-3)\n    holds /locks/c\n    waits for /locks/a, held by ${id(one)}\n`,
    )
    await waits(one, '/locks/b', '')
    await waits(two, '/locks/a', '')
    const { status, out } = await shell.run('locks --graph /locks')
    const [first = ''] = out.split('\n')
    expect(status).toBe(1)
    expect(first).toMatch(/^possible deadlock: 0x/)
    expect(first).toContain(id(one))
    expect(first).toContain(id(two))
    expect(out).toContain(`! ${id(one)}\n    holds /locks/a\n    waits for /locks/b, held by ${id(two)}\n`)
    expect(out).toContain(`  ${id(three)} (cart-3)\n`)
    const { out: json } = await shell.run('locks --json --graph /locks')
    const told = JSON.parse(json) as { waits: unknown[]; rings: string[][] }
    expect(told.waits).toHaveLength(3)
    expect(told.rings.map((ring) => [...ring].sort())).toEqual([[id(one), id(two)].sort()])
  })

  it('takes one node, and nothing that ls or who takes', async () => {
    expect((await shell.run('locks --graph ls /locks')).err).toMatch(/^locks: --graph takes one path, got ls \/locks;/)
    expect((await shell.run('locks ls')).err).toMatch(/^locks: ls: too few arguments/)
    expect(await shell.run('locks --graph /none')).toMatchObject({ status: 0 })
  })
})
