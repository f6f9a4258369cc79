import { expect, it } from 'vitest'
import { openClientSession } from '../../../src/backends/client/session.ts'
import { Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OwnDialect } from '../../../src/backends/client/dialect.ts'
import type { MakeDialect } from '../../../src/backends/client/dialect.ts'
import { ZooKeeperDialect } from '../../../src/backends/zookeeper/dialect.ts'
import type { Session } from '../../../src/core/backend.ts'
import { ScriptedDialer } from '../client/scripted-servers.ts'
import type { ScriptedChannel } from '../client/scripted-servers.ts'

interface Opened {
  readonly session: Session
  readonly server: ScriptedChannel
}

const ofZooKeeper: MakeDialect = (requests, bound) => new ZooKeeperDialect(requests, bound, { isRefused: false })

async function openedOn(dialect: MakeDialect): Promise<Opened> {
  const dialer = new ScriptedDialer()
  const opening = openClientSession(dialer, { sessionTimeoutMs: 3_000, onError: () => undefined, dialect })
  dialer.last.accept()
  const session = await opening
  // Servers of ZooKeeper's are asked whether they are ours.
  if (dialer.last.requests.length > 0) dialer.last.reply(null, { err: Err.noNode })
  return { session, server: dialer.last }
}

it('a sync on ZooKeeper is a deletion that is refused, and any other refusal is one of the sync', async () => {
  const { session, server } = await openedOn(ofZooKeeper)
  const synced = session.sync('/a')
  expect(server.requests.at(-1)).toMatchObject({
    op: OpCode.delete,
    body: { path: '/zookeeper/never-there', version: -1 },
  })
  server.reply(null, { err: Err.noNode })
  expect(await synced).toBeUndefined()
  const hidden = session.sync('/a')
  server.reply(null, { err: Err.noAuth })
  expect(await hidden).toBeUndefined()
  const refused = session.sync('/a')
  server.reply(null, { err: Err.throttledOp })
  await expect(refused).rejects.toMatchObject({ code: 'THROTTLED', outcome: 'rejected', path: '/a' })
})

it('a sync on ZooKeeper that was lost has written nothing, whatever became of it', async () => {
  const { session, server } = await openedOn(ofZooKeeper)
  const lost = session.sync('/a')
  server.hangUp()
  await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent', path: '/a' })
})

it('a sync on our own servers is one', async () => {
  const { session, server } = await openedOn((requests) => new OwnDialect(requests))
  const synced = session.sync('/a')
  expect(server.requests.at(-1)).toMatchObject({ op: OpCode.sync, body: { path: '/a' } })
  server.reply({ path: '/a' })
  expect(await synced).toBeUndefined()
})
