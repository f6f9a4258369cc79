/** A real ZooKeeper and ours answer the same requests alike, where time passes in between or much is sent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import { CreateFlag, Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { FRAME_BYTES_MAX } from '../../../../../src/backends/wire/framing.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../../../engines/zookeeper.ts'
import type { ZooKeeper } from '../../../../engines/zookeeper.ts'
import { RawClient } from './raw-client.ts'

const skip = reasonToSkipZooKeeper()
const CHECK_MS = 100
const START_MS_MAX = 60_000

const ours = embedded({ servers: 1, clientPorts: [0], containerCheckMs: CHECK_MS })
let real: ZooKeeper | null = null

beforeAll(async () => {
  await ours.start()
  if (skip === null) real = await startZooKeeper({ properties: { 'znode.container.checkIntervalMs': CHECK_MS } })
}, START_MS_MAX)

afterAll(async () => {
  await ours.close()
  await real?.stop()
})

const PORTS = {
  'a real ZooKeeper': () => real?.servers[0]?.port ?? 0,
  ours: () => ours.clientPorts[0] ?? 0,
} as const

/** Makes a node that is used once and then empty. */
async function usedUp(client: RawClient, op: 'create' | 'create2' | 'createContainer'): Promise<string> {
  const path = `/${op}`
  const fields = { data: null, acl: OPEN_ACL }
  expect(await client.ask(OpCode[op], { ...fields, path, flags: CreateFlag.container })).toMatchObject({ err: Err.ok })
  await client.ask(OpCode.create, { ...fields, path: `${path}/child`, flags: CreateFlag.persistent })
  await client.ask(OpCode.delete, { path: `${path}/child`, version: -1 })
  return path
}

/** A create whose frame, without its length, has so many bytes. */
function createOf(client: RawClient, path: string, frameBytes: number): { path: string; data: Uint8Array } {
  const rest = client.encode(OpCode.create, { path, data: new Uint8Array(), acl: OPEN_ACL, flags: 0 }).length - 4
  return { path, data: new Uint8Array(frameBytes - rest) }
}

describe.skipIf(skip !== null)(`a real ZooKeeper and ours${skip === null ? '' : ` (${skip})`}`, () => {
  describe.each(Object.entries(PORTS))('%s', (_name, port) => {
    it('makes a container of createContainer, and a plain node of the flag in any other create', async () => {
      const client = await RawClient.open(port())
      const plain = [await usedUp(client, 'create'), await usedUp(client, 'create2')]
      const container = await usedUp(client, 'createContainer')
      const exists = async (path: string): Promise<boolean> => {
        return (await client.ask(OpCode.exists, { path, watch: false })).err === Err.ok
      }
      while (await exists(container)) await new Promise((resolve) => setTimeout(resolve, CHECK_MS))
      // All three were empty when the container was found to be.
      for (const path of plain) expect(await exists(path)).toBe(true)
      await client.drop()
    })

    it('takes a frame of jute.maxbuffer, and ends the connection at one byte more', async () => {
      const client = await RawClient.open(port())
      const fits = createOf(client, '/fits', FRAME_BYTES_MAX)
      expect(await client.ask(OpCode.create, { ...fits, acl: OPEN_ACL, flags: 0 })).toMatchObject({ err: Err.ok })
      const second = await RawClient.open(port())
      const over = createOf(second, '/over', FRAME_BYTES_MAX + 1)
      second.socket.write(second.encode(OpCode.create, { ...over, acl: OPEN_ACL, flags: 0 }))
      await second.closed
      expect(await client.ask(OpCode.exists, { path: '/over', watch: false })).toMatchObject({ err: Err.noNode })
      await client.ask(OpCode.delete, { path: '/fits', version: -1 })
      await client.drop()
    })
  })
})
