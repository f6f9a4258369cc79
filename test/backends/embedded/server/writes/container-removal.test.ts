import { expect, it } from 'vitest'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { Cluster } from '../cluster.ts'

const CHECK_TICKS = 10
const CONTAINERS = 50
/** 10,000 per minute at 50 ms per tick. */
const PER_TICK = 8

it('containers that are empty again are removed in a steady pace, not in a herd', () => {
  const cluster = new Cluster([1], { containerCheckTicks: CHECK_TICKS })
  cluster.startAll([1])
  const client = cluster.client(1)
  const nodes = (): number => cluster.server(1).status().nodes
  const before = nodes()
  for (let i = 0; i < CONTAINERS; i++) {
    const body = { path: `/c${i}`, data: null, acl: OPEN_ACL, flags: 4 }
    cluster.request(client, { op: OpCode.createContainer, body })
    cluster.create(client, `/c${i}/x`)
    cluster.request(client, { op: OpCode.delete, body: { path: `/c${i}/x`, version: -1 } })
  }
  cluster.run()
  expect(nodes()).toBe(before + CONTAINERS)
  cluster.tickUntil(() => nodes() < before + CONTAINERS)
  for (let left = CONTAINERS - PER_TICK; left > 0; left -= PER_TICK) {
    expect(nodes()).toBe(before + left)
    cluster.tick()
  }
  expect(nodes()).toBe(before)
})
