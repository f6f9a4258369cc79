/** The lines that are kept from run to run. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HistoryFile } from '../../src/cli/history-file.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-history-'))
  path = join(folder, 'state', 'history')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

const modeOf = (file: string): number => statSync(file).mode & 0o777

it('keeps lines for their owner alone, without those that may hold a secret', () => {
  const file = new HistoryFile(path)
  expect(existsSync(path)).toBe(false)
  const secrets = ['connect redis://u:p@h', '"addauth" digest a:b', ' set /password x']
  const lines = ['ls /', ...secrets, 'connect h:1', '', '\u001b[A']
  for (const line of lines) file.add(line)
  expect(readFileSync(path, 'utf8')).toBe('ls /\nconnect h:1\n')
  expect(modeOf(path)).toBe(0o600)
  expect(modeOf(join(folder, 'state'))).toBe(0o700)
  expect(new HistoryFile(path).lines).toEqual(['ls /', 'connect h:1'])
})

it('removes what an earlier version has kept of secrets, and takes the file from everybody else', () => {
  const old = join(folder, 'history')
  writeFileSync(old, 'ls /\nconnect redis://u:p/w@h\n"addauth" digest a:b\nget /a\n', { mode: 0o644 })
  chmodSync(old, 0o644)
  expect(new HistoryFile(old).lines).toEqual(['ls /', 'get /a'])
  expect(readFileSync(old, 'utf8')).toBe('ls /\nget /a\n')
  expect(modeOf(old)).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['history'])
})

it('takes a file that holds no secret from everybody else, too', () => {
  const old = join(folder, 'history')
  writeFileSync(old, 'ls /\n')
  chmodSync(old, 0o664)
  expect(new HistoryFile(old).lines).toEqual(['ls /'])
  expect(modeOf(old)).toBe(0o600)
})

it('keeps only the last thousand of many lines', () => {
  const old = join(folder, 'history')
  writeFileSync(old, Array.from({ length: 2_500 }, (_, index) => `get /${index}\n`).join(''))
  expect(new HistoryFile(old).lines).toHaveLength(1_000)
  expect(readFileSync(old, 'utf8')).toMatch(/^get \/1500\n/)
})

it('does without a file where there can be none', () => {
  const file = new HistoryFile(join(folder, 'history', 'is', 'there'))
  writeFileSync(join(folder, 'history'), '')
  expect(() => file.add('ls /')).not.toThrow()
})
