/** The answers to a session that one server alone knows, by ZooKeeper's servers and by ours. */
import { afterEach, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import type { CreateRequest, RequestBodies } from '../../../src/backends/wire/records.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { RawClient, answerTo } from '../embedded/host/clients/raw-client.ts'

const skip = reasonToSkipZooKeeper()
const TEST_MS_MAX = 180_000
const EPHEMERAL = 1
const CONTAINER = 4
/** The part of a zxid that counts within its epoch. */
const COUNTER = 0xffff_ffffn

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

function node(path: string, flags = 0): CreateRequest {
  return { path, data: null, acl: OPEN_ACL, flags }
}

/** The counts of sessions that a server tells. */
async function countsAt(port: number): Promise<string[]> {
  const monitored = await answerTo(port, 'mntr')
  return monitored.split('\n').filter((line) => /^zk_(global|local)_sessions/.test(line))
}

/** The life of a client of the first server, with the place of each answer in the order. */
async function answersOf([first = 0, second = 0]: readonly number[]): Promise<readonly unknown[]> {
  const told: unknown[] = []
  const client = await RawClient.open(first)
  const ask = async <O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): Promise<void> => {
    const { zxid, err, body: answer } = await client.ask(op, body)
    const parts = Array.isArray(answer) ? answer.map((part: { op: number; err?: number }) => [part.op, part.err]) : []
    told.push([op, zxid & COUNTER, err, ...parts])
  }
  await ask(OpCode.create, node('/a'))
  await ask(OpCode.createContainer, node('/container', CONTAINER))
  const other = await RawClient.open(first)
  const early = await RawClient.open(second, other.session)
  told.push(early.session.timeOut, ...await countsAt(first))
  await ask(OpCode.create, node('/a/none/e', EPHEMERAL))
  told.push(...await countsAt(first), ...await countsAt(second))
  await ask(OpCode.multi, [
    { op: OpCode.create, body: node('/b') },
    { op: OpCode.create, body: node('/e', EPHEMERAL) },
  ])
  const moved = await RawClient.open(second, client.session)
  told.push(moved.session.sessionId === client.session.sessionId)
  const { err } = await moved.ask(OpCode.exists, { path: '/e', watch: false })
  told.push(err, (await moved.ask(OpCode.closeSession, null)).err)
  for (const each of [client, other, early, moved]) await each.drop()
  return told
}

describe.skipIf(skip !== null)(`a session that one server alone knows${skip === null ? '' : ` (${skip})`}`, () => {
  it('is answered as by ZooKeeper, but for what it does after another server has called it over', async () => {
    const config = { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' }
    const words = { '4lw.commands.whitelist': '*' }
    const zooKeeper = await startZooKeeper({ servers: 3, config: { ...config, ...words } })
    endings.push(() => zooKeeper.stop())
    const ours = embedded({
      servers: 3, tickMs: 20, clientPorts: [0, 0, 0], fourLetterWords: ['*'], localSessions: 'upgradeable',
    })
    endings.push(() => ours.close())
    await ours.start()
    const theirs = await answersOf(zooKeeper.servers.map(({ port }) => port))
    expect(await answersOf(ours.clientPorts)).toEqual(theirs)
  }, TEST_MS_MAX)
})
