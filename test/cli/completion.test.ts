/** `quorate completion`: what bash makes of its script, and what the other two hold. */
import { spawnSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { printCompletion } from '../../src/cli/completion-command.ts'
import { findProgram, reasonToSkip } from '../engines/process.ts'

const HELP = 'options:\n  --connect URL\n  --read-write  needs --token\n'

async function scriptOf(...args: string[]): Promise<string> {
  let out = ''
  const output = { out: (text: string) => void (out += text), err: () => undefined }
  await printCompletion(args, output, () => Promise.resolve(HELP))
  return out
}

const skips = reasonToSkip('bash', findProgram('bash') !== null)

describe.skipIf(skips !== null)(`the script for bash${skips === null ? '' : ` (${skips})`}`, () => {
  let script: string
  beforeAll(async () => {
    script = await scriptOf('bash')
  })

  /** The words that bash offers for the last of these. */
  function offered(...words: string[]): string[] {
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const answer = `printf '%s\\n' "\${COMPREPLY[@]}"`
    const ask = `COMP_WORDS=(quorate ${quoted}); COMP_CWORD=${words.length}; _quorate; ${answer}`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', `${script}\n${ask}`], { encoding: 'utf8' })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((word) => word !== '')
  }

  it('offers commands, programs of their own, and options', () => {
    expect(offered('get')).toEqual(['get', 'getAcl', 'getAllChildrenNumber', 'getEphemerals'])
    expect(offered('do')).toEqual(['doctor', 'double-barrier'])
    expect(offered('--conn')).toEqual(['--connect', '--connect-timeout'])
  })

  it('offers second words, flags, and options of programs', () => {
    expect(offered('config', '')).toEqual(expect.arrayContaining(['get', 'set', 'watch', 'edit', '-v', '--json']))
    expect(offered('locks', '--g')).toEqual(['--graph'])
    expect(offered('semaphore', 'w')).toEqual(['who'])
    expect(offered('dashboard', '--')).toEqual(['--connect', '--read-write', '--token'])
    expect(offered('completion', 'z')).toEqual(['zsh'])
  })

  it('knows which words belong to options, and leaves paths and command lines to others', () => {
    expect(offered('--connect', 'get', 'locks', 'w')).toEqual(['who'])
    expect(offered('--connect', 'g')).toEqual([])
    expect(offered('get', '/loc')).toEqual([])
    expect(offered('lock', '/l', '--', 'ech')).toContain('echo')
    expect(offered('lock', '/l', '--', 'echo', 'get')).toEqual([])
  })
})

describe('quorate completion', () => {
  it('has a script for zsh and for fish too', async () => {
    const zsh = await scriptOf('zsh')
    expect(zsh).toMatch(/^#compdef quorate\n/)
    expect(zsh).toContain("    dashboard) candidates='--connect --read-write --token' ;;\n")
    const line = "'__fish_seen_subcommand_from dashboard' -a '--connect --read-write --token'\n"
    expect(await scriptOf('fish')).toContain(line)
  })

  it('says which shells it has', async () => {
    expect(await scriptOf('--help')).toMatch(/^usage: quorate completion bash\|zsh\|fish\n/)
    await expect(scriptOf('zhs')).rejects.toThrow('completion has no script for "zhs"; did you mean zsh?')
    await expect(scriptOf()).rejects.toThrow('completion has no script for ""; it takes bash, zsh, fish')
  })
})
