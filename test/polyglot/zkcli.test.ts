import { spawn } from 'node:child_process'
import { existsSync, openSync, closeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { reasonToSkip } from '../engines/process.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'
import { PROGRAM_TEST_MS_MAX } from './programs.ts'
import { startServers } from './servers.ts'

const ZKCLI = '/usr/share/zookeeper/bin/zkCli.sh'
const COMMANDS = fileURLToPath(new URL('zkcli-commands.txt', import.meta.url))

const skip = reasonToSkipZooKeeper() ?? reasonToSkip('zkCli.sh', existsSync(ZKCLI))

/** The output of zkCli.sh on each of its streams, and the events that it has seen, which come at any time. */
interface Session {
  /** Its exit status, which is that of the last command that failed. */
  readonly status: number | null
  readonly output: readonly string[]
  /** A stream of its own: how it falls in with the output is up to the pipes. */
  readonly errors: readonly string[]
  readonly events: readonly string[]
}

async function sessionWith(address: string): Promise<Session> {
  const commands = openSync(COMMANDS, 'r')
  const child = spawn(ZKCLI, ['-server', address], { stdio: [commands, 'pipe', 'pipe'] })
  closeSync(commands)
  const printed = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (printed.stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (printed.stderr += chunk.toString()))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const output = masked(printed.stdout).split('\n')
  return {
    status,
    output: withIdentitiesSorted(output.filter((line) => !isEvent(line) && !isNoise(line))),
    errors: printed.stderr.split('\n').filter((line) => !isNoise(line)),
    events: output.filter((line) => isEvent(line) && !isOwnEnd(line)),
  }
}

function isEvent(line: string): boolean {
  return line.startsWith('WatchedEvent')
}

/** Whether it is told of its own end: zkCli.sh prints that only if its process does not end first. */
function isOwnEnd(line: string): boolean {
  return line.includes('state:Closed')
}

function isNoise(line: string): boolean {
  return /^(WATCHER::|SLF4J.*|Connecting to .*|)$/.test(line)
}

/** Deliberate difference "who-am-i-order". */
function withIdentitiesSorted(lines: readonly string[]): readonly string[] {
  const isIdentity = (line: string): boolean => /^(digest|ip): /.test(line)
  const identities = lines.filter(isIdentity).sort()
  return lines.map((line) => (isIdentity(line) ? (identities.shift() ?? '') : line))
}

/** Times and owners are masked; zxids become their rank among all numbers in the output. */
function masked(output: string): string {
  const withoutOwners = output.replaceAll(/(ephemeralOwner = )0x(?!0\b)[0-9a-f]+/g, '$1a session')
  const found = withoutOwners.match(/0x[0-9a-f]+/g) ?? []
  const numbers = [...new Set(found)].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
  return withoutOwners
    .replaceAll(/0x[0-9a-f]+/g, (number) => `number ${numbers.indexOf(number)}`)
    .replaceAll(/time = .*/g, (line) => (line.includes('1970') ? 'time = 0' : 'time = t'))
}

describe.skipIf(skip !== null)(`zkCli.sh${skip === null ? '' : ` (${skip})`}`, { timeout: PROGRAM_TEST_MS_MAX }, () => {
  it('prints the same in a session with our server as in one with a real one', async () => {
    await using servers = await startServers(1)
    const real = await startZooKeeper({ tickMs: 2_000 })
    try {
      const expected = await sessionWith(real.connectString)
      expect(expected.output.length + expected.errors.length).toBeGreaterThan(100)
      expect(await sessionWith(servers.addresses)).toEqual(expected)
    } finally {
      await real.stop()
    }
  })
})
