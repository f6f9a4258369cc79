/** The line by which a server knows a user. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure, UsageError } from '../../src/cli/exit-status.ts'
import { runScramUser } from '../../src/cli/scram-user-command.ts'
import { standardOutput } from '../../src/cli/output.ts'
import { scramVerifier } from '../../src/backends/sasl/scram.ts'
import { readVerifierLine } from '../../src/backends/sasl/verifier-line.ts'
import { scratchFolder } from '../engines/process.ts'

const folder = scratchFolder('scram-user')
const file = join(folder.path, 'password')

beforeAll(() => {
  writeFileSync(file, 'from file\n')
})
afterAll(() => {
  folder.remove()
})

type Ask = Parameters<typeof runScramUser>[3]

async function lineOf(args: readonly string[], env: NodeJS.ProcessEnv = {}, ask: Ask = null): Promise<string> {
  let text = ''
  const output = { ...standardOutput(false), out: (some: string): void => void (text += some) }
  expect(await runScramUser(args, env, output, ask)).toBe(0)
  return text
}

describe('quorate scram-user', () => {
  it.each<[string, readonly string[], NodeJS.ProcessEnv, Ask]>([
    ['from env', [], { QUORATE_PASSWORD: 'from env' }, null],
    ['from file', ['--password-file', file], { QUORATE_PASSWORD: 'from env' }, null],
    ['asked', ['--ask-password'], {}, () => Promise.resolve('asked')],
    ['asked', [], {}, () => Promise.resolve('asked')],
  ])('makes the line of a password that is %s', async (password, args, env, ask) => {
    const line = await lineOf(['ann', '--rounds=4096', ...args], env, ask)
    const read = readVerifierLine(line.trimEnd())
    expect(line).toMatch(/^ann:SCRAM-SHA-256\$4096:.*\n$/)
    expect(line).not.toContain(password)
    expect(read?.verifier).toEqual(await scramVerifier(password, read?.verifier.salt ?? new Uint8Array(), 4096))
  })

  it('never makes the same line twice', async () => {
    const env = { QUORATE_PASSWORD: 'secret' }
    expect(await lineOf(['ann', '--rounds=4096'], env)).not.toBe(await lineOf(['ann', '--rounds=4096'], env))
  })

  it('takes no password among its arguments, and does not show what may be one', async () => {
    await expect(lineOf(['ann', 'secret'])).rejects.toThrow(UsageError)
    await expect(lineOf(['ann', 'secret'])).rejects.not.toThrow(/secret/)
    await expect(lineOf(['ann:secret'])).rejects.not.toThrow(/secret/)
    await expect(lineOf(['ann'])).rejects.toThrow(/no password for ann: set QUORATE_PASSWORD/)
    await expect(lineOf([])).rejects.toThrow(UsageError)
    await expect(lineOf(['ann', '--rounds=1'], { QUORATE_PASSWORD: 'x' })).rejects.toThrow(/from 4096 to 2000000/)
  })

  it('asks twice, and wants the same', async () => {
    const answers = ['one', 'other']
    const asking = lineOf(['ann', '--ask-password'], {}, () => Promise.resolve(answers.shift() ?? ''))
    await expect(asking).rejects.toThrow(new Failure('the two passwords differ'))
    await expect(lineOf(['ann'], { QUORATE_PASSWORD: 'a\u0007' })).rejects.toThrow(/cannot be used/)
  })
})
