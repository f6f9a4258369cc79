/** A server whose log nobody reads: it serves, and says afterwards what it could not write. */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { join } from 'node:path'
import { Err, OpCode } from '../../src/backends/wire/codes.ts'
import { RawClient } from '../backends/embedded/host/clients/raw-client.ts'
import { freePort, isListening } from '../engines/process.ts'
import { compiledPackage } from '../engines/quorate-server.ts'
import type { CompiledPackage } from '../engines/quorate-server.ts'

const PARTS = 10_000
/** Some 24 MB of lines: more than may wait. */
const MULTIS = 16

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
}, 60_000)

afterAll(() => compiled.remove())

function started(port: number): ReturnType<typeof spawn> {
  const main = join(compiled.path, 'dist/cli/main.js')
  const args = [main, 'server', '--audit', '--log', 'json', '--client-port', `${port}`]
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

it('answers while multis are audited to a pipe that is full, counts what it leaves out, and ends', async () => {
  const port = await freePort()
  const child = started(port)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  try {
    while (!(await isListening(port))) await new Promise((resolve) => setTimeout(resolve, 20))
    const client = await RawClient.open(port)
    const part = { op: OpCode.setData, body: { path: `/none-${'n'.repeat(60)}`, data: null, version: -1 } } as const
    const parts = Array.from({ length: PARTS }, () => part)
    for (let i = 0; i < MULTIS; i++) await client.ask(OpCode.multi, parts)
    expect((await client.ask(OpCode.exists, { path: '/', watch: false })).err).toBe(Err.ok)

    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    const told = (): { readonly written: number; readonly lost: number } => {
      const lines = text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as { event: string; audit?: number })
      const lost = lines.reduce((sum, { audit = 0 }) => sum + audit, 0)
      return { written: lines.filter(({ event }) => event === 'audit').length, lost }
    }
    // Each line that is written says first how many were not.
    while (told().written + told().lost < MULTIS * PARTS) {
      await client.ask(OpCode.setData, part.body)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect(told().written).toBeGreaterThan(PARTS)
    expect(told().lost).toBeGreaterThan(0)
    // It ends also while nobody reads what it says.
    child.stderr?.pause()
    for (let i = 0; i < 2; i++) await client.ask(OpCode.multi, parts)
    await client.drop()
    child.kill()
    expect(await ended).toBe(0)
  } finally {
    child.kill('SIGKILL')
  }
}, 60_000)
