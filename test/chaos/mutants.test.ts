import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { complaintsOf } from '../../chaos/checks.ts'
import type { Dump } from '../../chaos/checks.ts'
import { Load } from '../../chaos/load.ts'
import { CHAOS_MUTANTS } from '../../chaos/mutants.ts'
import { applied } from '../../sim/mutants/patch.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url))
const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }

/** The record of clients that have done nothing yet. */
function told(): Load['told'] {
  return new Load([], new SeededRandom(1), () => undefined).told
}

/** A node as a dump has it. */
function node(owner = '0', mtime = 1): string {
  return JSON.stringify(['eA==', { ephemeralOwner: owner, mtime }, []])
}

const SOUND: Dump = new Map([['/chaos', node()], ['/chaos/a', node()]])

describe('the mutants of the chaos', () => {
  it.each(CHAOS_MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s fits the code', (_name, { edits }) => {
    for (const edit of edits) {
      const source = readFileSync(join(SOURCE, edit.file), 'utf8')
      const compiled = ts.transpileModule(source, { compilerOptions }).outputText
      expect(applied(edit, compiled)).not.toBe(compiled)
    }
  })
})

describe('the checks of the chaos', () => {
  it('complain of nothing where nothing is wrong', () => {
    expect(complaintsOf([SOUND, SOUND, SOUND], { ...told(), created: ['/chaos/a'], refused: ['/chaos/b'] })).toEqual([])
  })

  it('see an acknowledged node that is lost, and a refused one that is there', () => {
    const complaints = complaintsOf([SOUND, SOUND], { ...told(), created: ['/chaos/b'], refused: ['/chaos/a'] })
    expect(complaints).toEqual([
      '1 acknowledged nodes are lost, such as /chaos/b',
      '1 nodes are there that were refused, such as /chaos/a',
    ])
  })

  it('see a node that is missing on one server, or differs in its stat', () => {
    const missing = new Map([['/chaos', node()]])
    const other = new Map([...SOUND, ['/chaos/a', node('0', 2)]])
    const complaints = complaintsOf([SOUND, missing, other], told())
    expect(complaints).toMatchObject([
      expect.stringMatching(/^servers 1 and 2 differ in 1 nodes: \/chaos\/a: .* \| nothing$/),
      expect.stringMatching(/^servers 1 and 3 differ in 1 nodes: \/chaos\/a: /),
    ])
  })

  it('see an ephemeral node without a session', () => {
    const kept = new Map([...SOUND, ['/chaos/lock/1', node('72')]])
    expect(complaintsOf([kept, kept], told())).toEqual(['1 ephemerals outlive all sessions, such as /chaos/lock/1'])
  })

  it('see a read that goes back', () => {
    const one = told()
    one.registers.call('/r', { type: 'write', value: 'a' })('')
    one.registers.call('/r', { type: 'read' })('')
    expect(complaintsOf([SOUND], one)).toMatchObject([expect.stringMatching(/C4: the 2 calls of \/r are not-linear/)])
    expect(complaintsOf([SOUND], one, { areSyncsWeak: true })).toEqual([])
  })

  it('take a write of which nobody knows whether it was done as either', () => {
    for (const read of ['', 'a']) {
      const one = told()
      one.registers.call('/r', { type: 'write', value: 'a' })
      one.registers.call('/r', { type: 'read' })(read)
      expect(complaintsOf([SOUND], one)).toEqual([])
    }
  })
})
