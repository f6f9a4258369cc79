/**
 * Inputs in files. Those of the repository, one folder per target, are findings of the past and what was hard to reach;
 * those of a machine grow with each run.
 *
 * Shape     `<target>/<name>.hex`: the bytes in hexadecimal, 100 columns per line; lines that begin with `#` say what
 *           it is about.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const COLUMNS = 100
const SUFFIX = '.hex'
const NAME_CHARS = 12

/** One input with its name. */
export interface Case {
  readonly name: string
  readonly bytes: Uint8Array
}

/** The inputs of a folder, by name; none if there is no such folder. */
export function readCases(folder: string): Case[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX)).sort()
  return names.map((name) => ({
    name: name.slice(0, -SUFFIX.length),
    bytes: parsed(readFileSync(join(folder, name), 'utf8'), join(folder, name)),
  }))
}

/** Writes an input under a name of its content; returns its file. */
export function writeCase(folder: string, bytes: Uint8Array, about: readonly string[] = []): string {
  mkdirSync(folder, { recursive: true })
  const name = createHash('sha256').update(bytes).digest('hex').slice(0, NAME_CHARS)
  const file = join(folder, name + SUFFIX)
  const lines = Buffer.from(bytes).toString('hex').match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? []
  writeFileSync(file, [...about.map((line) => `# ${line}`), ...lines, ''].join('\n'))
  return file
}

function parsed(text: string, file: string): Uint8Array {
  const hex = text.split('\n').filter((line) => !line.startsWith('#')).join('').replace(/\s/g, '')
  if (!/^([0-9a-f]{2})*$/.test(hex)) throw new Error(`${file} is not hexadecimal`)
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}
