/** The tools for files, run in this process, on files of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runTool } from '../../../src/cli/disk/tools.ts'

/** The exit status and the output of a tool. */
export interface Ended {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Runs a tool to its end. */
export async function run(name: string, ...args: string[]): Promise<Ended> {
  let [out, err] = ['', '']
  const status = await runTool(name, args, { out: (text) => (out += text), err: (text) => (err += text) })
  return { status, out, err }
}

/** The values of lines of JSON. */
export function values(out: string): Record<string, unknown>[] {
  return out.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A folder of a test. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'quorate-tools-'))

  /** Writes a file, and gives its path. */
  write(name: string, bytes: Uint8Array): string {
    const path = this.at(name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    return path
  }

  at(name: string): string {
    return join(this.path, name)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
