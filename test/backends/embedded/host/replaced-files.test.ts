/** Files that are replaced while a server runs. */
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ReplacedFiles } from '../../../../src/backends/embedded/host/replaced-files.ts'

const LOOK_MS = 1_000

let directory: string
let told: string[]
let reads: number
let written: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-replaced-'))
  told = []
  reads = 0
  written = 0
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

const pathOf = (name: string): string => join(directory, name)

/** Each write has another time, however fast they follow each other. */
function put(name: string, text: string): void {
  writeFileSync(pathOf(name), text)
  written += 1
  utimesSync(pathOf(name), written, written)
}

function open(...names: string[]): ReplacedFiles<string> {
  return new ReplacedFiles({
    paths: names.map(pathOf),
    read: () => {
      reads += 1
      const text = names.map((name) => readFileSync(pathOf(name), 'utf8')).join('+')
      if (text.includes('bad')) throw new Error(`cannot use ${text}`)
      return text
    },
    onLoaded: (content) => told.push(`loaded ${content}`),
    onKept: (reason) => told.push(`kept: ${reason}`),
  })
}

it('are read again when one of them was replaced, a second after the last look at the earliest', () => {
  put('a', 'one')
  put('b', 'two')
  const files = open('a', 'b')
  expect(files.current()).toEqual({ version: 1, content: 'one+two' })
  put('b', 'TWO')
  vi.advanceTimersByTime(LOOK_MS - 1)
  expect(files.current()).toEqual({ version: 1, content: 'one+two' })
  vi.advanceTimersByTime(1)
  expect(files.current()).toEqual({ version: 2, content: 'one+TWO' })
  vi.advanceTimersByTime(LOOK_MS)
  expect(files.current().version).toBe(2)
  expect(reads).toBe(2)
  expect(told).toEqual(['loaded one+TWO'])
})

it('that cannot be used, or are gone, leave the content as it is, and that is told once', () => {
  put('a', 'good')
  const files = open('a')
  const next = (): unknown => {
    vi.advanceTimersByTime(LOOK_MS)
    return files.current()
  }
  put('a', 'bad')
  expect([next(), next()]).toEqual([{ version: 1, content: 'good' }, { version: 1, content: 'good' }])
  expect(told).toEqual(['kept: cannot use bad'])
  rmSync(pathOf('a'))
  expect([next(), next()]).toEqual([{ version: 1, content: 'good' }, { version: 1, content: 'good' }])
  expect(told).toHaveLength(2)
  expect(told[1]).toMatch(/^kept: ENOENT/)
  put('a', 'better')
  expect(next()).toEqual({ version: 2, content: 'better' })
  expect(told[2]).toBe('loaded better')
})

it('that cannot be used at the beginning are refused', () => {
  put('a', 'bad')
  expect(() => open('a')).toThrow('cannot use bad')
})
