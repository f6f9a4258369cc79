/** Directories of another ensemble than the one that is started on them: nothing is passed over, and nobody waits. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { EmbeddedOptions } from '../../../src/backends/embedded/index.ts'
import { formatVotes, parseVotes } from '../../../src/backends/wire/disk/votes-file.ts'

let dataDir = ''

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'quorate-layout-'))
})
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true })
})

/** Starts an ensemble, makes a node, and ends; answers with the nodes that are there then. */
async function live(options: EmbeddedOptions, node: string): Promise<readonly string[]> {
  await using ensemble = embedded({ dataDir, ...options })
  await ensemble.start()
  await using client = await connect(ensemble)
  await client.create(`/${node}`)
  return (await client.children('/')).names
}

/** Takes the vote of a server away, as after the loss of its files. */
function takeVote(directory: string): void {
  const file = join(directory, 'version-2', 'votes')
  const record = parseVotes(file, readFileSync(file))
  writeFileSync(file, formatVotes({ ...record, votes: false }))
}

it('of several servers are refused by one that is alone, which would look empty', async () => {
  await live({ servers: 3 }, 'a')
  const found = `${dataDir} holds the data of an ensemble of several servers (1, 2, 3), and this one is alone`
  const error = { code: 'MISPLACED', message: `${found}: start it with as many as before, or give it another dataDir` }
  await expect(live({ servers: 1 }, 'b')).rejects.toMatchObject(error)
  const member = embedded({ myid: 1, servers: { 1: '127.0.0.1:1:2' }, dataDir })
  await expect(member.start()).rejects.toMatchObject(error)
  await member.close()
  expect(readdirSync(dataDir)).not.toContain('version-2')
  expect(await live({ servers: 3 }, 'c')).toEqual(['a', 'c', 'zookeeper'])
})

it('of one server are refused by an ensemble of several', async () => {
  await live({ servers: 1 }, 'a')
  const found = `${dataDir} holds the data of one server that was alone, and this ensemble has several`
  const error = { code: 'MISPLACED', message: `${found}: start it with servers: 1, or give it another dataDir` }
  await expect(live({ servers: 3 }, 'b')).rejects.toMatchObject(error)
  await expect(live({ servers: 1, observers: 1 }, 'b')).rejects.toMatchObject(error)
  expect(await live({ servers: 1 }, 'c')).toEqual(['a', 'c', 'zookeeper'])
})

it.each([{ servers: 3 }, { servers: 3, observers: 2 }])('of more voters are refused by %j', async (fewer) => {
  await live({ servers: 5 }, 'a')
  const found = `${dataDir} holds the data of voters that are none of this ensemble: 4, 5`
  const message = `${found}; what was acknowledged may be with them alone: start it with servers: 5`
  await expect(live(fewer, 'b')).rejects.toMatchObject({ code: 'MISPLACED', message })
  expect(await live({ servers: 5, observers: 1 }, 'c')).toEqual(['a', 'c', 'zookeeper'])
  // An observer has acknowledged nothing, and cannot stand for a voter.
  expect(await live({ servers: 5 }, 'd')).toEqual(['a', 'c', 'd', 'zookeeper'])
})

it('of fewer voters are taken while these are a majority, and refused when they are none', async () => {
  await live({ servers: 3 }, 'a')
  const found = `3 of 7 voters in ${dataDir} may vote, and it takes more than half`
  const help = 'start with as many servers as before; or, if their data are lost, restore a backup'
  const error = { code: 'MISPLACED', message: `${found}: ${help} with --whole-ensemble` }
  await expect(live({ servers: 7 }, 'b')).rejects.toMatchObject(error)
  expect(await live({ servers: 5 }, 'c')).toEqual(['a', 'c', 'zookeeper'])
})

it('of observers do not count among those of voters', async () => {
  await live({ servers: 3, observers: 4 }, 'a')
  await expect(live({ servers: 7 }, 'b')).rejects.toThrow(`3 of 7 voters in ${dataDir} may vote`)
})

it('of a server that has lost its vote are refused where nobody could give it one', async () => {
  await live({ servers: 1 }, 'a')
  takeVote(dataDir)
  await expect(live({ servers: 1 }, 'b')).rejects.toMatchObject({
    code: 'MISPLACED',
    message: expect.stringContaining(`0 of 1 voters in ${dataDir} may vote`) as string,
  })
  rmSync(dataDir, { recursive: true })
  await live({ servers: 3 }, 'a')
  for (const id of ['1', '2']) takeVote(join(dataDir, id))
  await expect(live({ servers: 3 }, 'b')).rejects.toThrow('1 of 3 voters in')
})
