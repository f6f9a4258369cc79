/** The file of the last good copy: whole or not at all, for its owner alone, and nothing left beside it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Backend } from '../../../../src/core/backend.ts'
import { connect } from '../../../../src/core/connect.ts'
import { CoordinationError } from '../../../../src/core/errors.ts'
import { ConfigCenter } from '../../../../src/recipes/config/config-center.ts'
import { CopyFile } from '../../../../src/recipes/config/io/copy-file.ts'
import { modelBackend } from '../../../../src/testing/model/backend.ts'

const BYTES = new TextEncoder().encode('a copy')
const MASK = 0o777

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-copy-'))
  path = join(folder, 'deep', 'pricing.copy')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

it('is there as a whole, for its owner alone, also where others could read the one before it', async () => {
  const file = new CopyFile(path)
  expect(await file.load()).toBeNull()
  await file.save(new Uint8Array(1))
  expect(statSync(path).mode & MASK).toBe(0o600)
  rmSync(path)
  writeFileSync(path, 'open to all', { mode: 0o644 })
  await file.save(BYTES)
  expect(Buffer.from((await file.load()) ?? [])).toEqual(Buffer.from(BYTES))
  expect(statSync(path).mode & MASK).toBe(0o600)
  expect(readdirSync(join(folder, 'deep'))).toEqual(['pricing.copy'])
})

it('is removed, and it is no error if it is gone', async () => {
  const file = new CopyFile(path)
  await file.save(BYTES)
  await file.save(null)
  await file.save(null)
  expect(existsSync(path)).toBe(false)
})

it('leaves the old copy and nothing beside it when it cannot be replaced', async () => {
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'inside'), '')
  const file = new CopyFile(path)
  await expect(file.save(BYTES)).rejects.toThrow()
  await expect(file.load()).rejects.toThrow('it is no file')
  expect(readdirSync(join(folder, 'deep'))).toEqual(['pricing.copy'])
  writeFileSync(join(folder, 'blocked'), 'a file where a folder should be')
  await expect(new CopyFile(join(folder, 'blocked', 'copy')).save(BYTES)).rejects.toThrow()
  expect(readFileSync(join(folder, 'blocked'), 'utf8')).toBe('a file where a folder should be')
})

it('refuses what is far too large before it is read', async () => {
  mkdirSync(join(folder, 'deep'))
  writeFileSync(path, '')
  truncateSync(path, 2 ** 31)
  await expect(new CopyFile(path).load()).rejects.toThrow('it has 2147483648 bytes')
})

it('removes what a killed process has left, and neither what another one writes nor files of others', async () => {
  const file = new CopyFile(path)
  await file.save(BYTES)
  const [old, fresh] = [crypto.randomUUID(), crypto.randomUUID()].map((id) => `${path}.${id}.tmp`)
  const others = [`${path}.backup.tmp`, `${path}.tmp`]
  for (const name of [old, fresh, ...others]) writeFileSync(name ?? '', 'half')
  for (const name of [old, ...others]) utimesSync(name ?? '', new Date(0), new Date(0))
  await file.load()
  expect([old, fresh, ...others].map((name) => existsSync(name ?? ''))).toEqual([false, true, true, true])
})

it('does not move when the process does', () => {
  expect(new CopyFile('pricing.copy').name).toBe(join(process.cwd(), 'pricing.copy'))
})

it('carries a value from one process to the next, which finds no server', async () => {
  symlinkSync(folder, join(folder, 'link'))
  const cacheTo = join(folder, 'link', 'pricing.copy')
  const client = await connect(modelBackend())
  await new ConfigCenter<number>(client, '/rate', { cacheTo }).publish(5)
  await client.close()
  const lost = new CoordinationError('CONNECTION_LOSS', 'no server answers', { outcome: 'not-sent' })
  const { capabilities } = modelBackend()
  const unreachable: Backend = { name: 'lost', capabilities, open: () => Promise.reject(lost) }
  await using alone = await connect(unreachable, { waitForSession: false })
  const config = new ConfigCenter<number>(alone, '/rate', { cacheTo, fallBackMs: 20 })
  expect([await config.ready(), config.source, config.stale]).toEqual([5, 'cache', true])
})
