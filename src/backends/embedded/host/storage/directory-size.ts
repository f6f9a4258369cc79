/** How much the files of a directory take, for operators. */
import { readdirSync, statSync } from 'node:fs'

/** A question answered within a turn must not take long: of more files than these, the first ones count. */
const FILES_MAX = 1_000

/** Where the files of a server are: snapshots and epochs, and logs. */
export interface ServerDirectories {
  readonly data: string
  readonly log: string
}

/** How much the files of a server take, in bytes. */
export function sizesOf(directories: ServerDirectories | null): { readonly data: number; readonly log: number } {
  if (directories === null) return { data: 0, log: 0 }
  return { data: directoryBytes(directories.data), log: directoryBytes(directories.log) }
}

/** Length of the files in a directory, in bytes; 0 if there is no such directory. */
function directoryBytes(directory: string): number {
  let bytes = 0
  for (const name of namesIn(directory).slice(0, FILES_MAX)) {
    // It may have been removed in the meantime.
    bytes += statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
