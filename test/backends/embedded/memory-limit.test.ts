/** A server with a small heap that somebody fills: it refuses what needs memory, and goes on with all the rest. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CreateFlag, Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { compiledPackage, startQuorateServer } from '../../engines/quorate-server.ts'
import type { CompiledPackage, QuorateServer } from '../../engines/quorate-server.ts'
import { RawClient } from './host/clients/raw-client.ts'
import type { OpenClient } from './host/clients/raw-client.ts'

const HEAP_MB = 64
const AT_ONCE = 500
/** Far more nodes than there is room for. */
const ROUNDS_MAX = 2_000

let compiled: CompiledPackage
let server: QuorateServer

beforeAll(async () => {
  compiled = compiledPackage()
  const limits = { 'quorate.heapThrottlePercent': 75, 'quorate.heapRefusePercent': 80, tickTime: 2_000 }
  server = await startQuorateServer(compiled, limits, [`--max-old-space-size=${HEAP_MB}`])
}, 60_000)

afterAll(async () => {
  await server.process.kill()
  compiled.remove()
})

function multi(op: 'create' | 'delete', client: OpenClient, round: number): Promise<number> {
  const parts = Array.from({ length: AT_ONCE }, (_, i) => {
    const path = `/full/${round}-${i}`.padEnd(200, 'n')
    if (op === 'delete') return { op: OpCode.delete, body: { path, version: -1 } } as const
    return { op: OpCode.create, body: { path, data: null, acl: OPEN_ACL, flags: CreateFlag.persistent } } as const
  })
  return client.ask(OpCode.multi, parts).then(({ err }) => err)
}

it('is filled up to its limit and no further; reads and sessions go on, and deletes make room', async () => {
  const writer = await RawClient.open(server.port, { timeOut: 40_000 })
  const full = { path: '/full', data: null, acl: OPEN_ACL, flags: CreateFlag.persistent }
  expect((await writer.ask(OpCode.create, full)).err).toBe(Err.ok)
  let rounds = 0
  let err: number = Err.ok
  for (; err === Err.ok && rounds < ROUNDS_MAX; rounds++) err = await multi('create', writer, rounds)
  expect(err).toBe(Err.throttledOp)
  const made = rounds - 1

  const other = await RawClient.open(server.port, { timeOut: 40_000 })
  const { body } = await other.ask(OpCode.exists, { path: '/full', watch: false })
  expect(body).toMatchObject({ stat: { numChildren: made * AT_ONCE } })
  expect((await other.ask(OpCode.sync, { path: '/' })).err).toBe(Err.ok)
  for (let round = 0; round < made; round++) expect(await multi('delete', writer, round)).toBe(Err.ok)

  // Deleted nodes are garbage until the engine collects it, which it does when others ask for something.
  for (let asked = 0; asked < 20_000 && err !== Err.ok; asked++) {
    await other.ask(OpCode.exists, { path: '/full', watch: false })
    if (asked % 100 === 0) err = await multi('create', writer, 0)
  }
  expect(err).toBe(Err.ok)
  for (const client of [writer, other]) await client.drop()
}, 120_000)
