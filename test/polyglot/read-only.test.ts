/** One server is left of three, and clients of other languages that only want to read. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect } from 'quorate'
import { zookeeper } from 'quorate/zookeeper'
import { reasonToSkip } from '../engines/process.ts'
import { PROGRAM_TEST_MS_MAX, hasJavaClient, hasKazoo, java, python, run } from './programs.ts'
import type { Command } from './programs.ts'
import { startServers } from './servers.ts'
import type { Servers } from './servers.ts'

const ZKCLI = '/usr/share/zookeeper/bin/zkCli.sh'
const WORKS = ['reads', 'is refused its writes', 'goes on with a session of its own']
const WAIT_MS_MAX = 20_000

let servers: Servers
beforeEach(async () => {
  servers = await startServers(3, { readOnlyMode: true })
  await using client = await connect(zookeeper(servers.addresses))
  await client.create('/a', 'before')
  for (const id of ['1', '2']) await servers.asks['crash']?.(id)
  await vi.waitFor(() => expect(servers.areReadOnly()).toBe(true), WAIT_MS_MAX)
})
afterEach(() => servers[Symbol.asyncDispose]())

const PROGRAMS: readonly { readonly name: string; readonly skip: string | null; readonly command: () => Command }[] = [
  { name: 'kazoo', skip: reasonToSkip('kazoo', hasKazoo), command: () => python('kazoo_read_only.py') },
  {
    name: "ZooKeeper's Java client",
    skip: reasonToSkip("ZooKeeper's Java client", hasJavaClient),
    command: () => java('JavaReadOnly.java'),
  },
]

for (const { name, skip, command } of PROGRAMS) {
  const title = skip === null ? name : `${name} (${skip})`
  describe.skipIf(skip !== null)(title, { timeout: PROGRAM_TEST_MS_MAX }, () => {
    it('reads from a server without a majority, and goes on when there is one', async () => {
      expect(await run(command(), [servers.addresses], servers.asks)).toEqual(WORKS)
    })
  })
}

/** The output of zkCli.sh for one command; its exit status comes last. */
function zkCli(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // It gives a command up when the first server that it tries is down.
    const left = servers.addresses.split(',').at(-1) ?? ''
    const child = spawn(ZKCLI, ['-server', left, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (status) => {
      resolve(`${output}\n${status}`)
    })
  })
}

const skip = reasonToSkip('zkCli.sh', existsSync(ZKCLI) && hasJavaClient)
describe.skipIf(skip !== null)(`zkCli.sh${skip === null ? '' : ` (${skip})`}`, { timeout: PROGRAM_TEST_MS_MAX }, () => {
  it('reads with -r, and is told that it cannot write', async () => {
    expect(await zkCli('-r', 'get', '/a')).toMatch(/before[\s\S]*\n0$/)
    expect(await zkCli('-r', 'create', '/b')).toMatch(/Not a read-only call: \/b[\s\S]*\n1$/)
  })
})
