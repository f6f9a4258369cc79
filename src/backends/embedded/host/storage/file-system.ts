/**
 * The port to the files of a server: the system calls that its storage makes, and nothing that it could get wrong.
 *
 * Durable    is what was synced, and no more: the bytes of a file after {@link OpenFile.sync}; its name, and the
 *            removal of one, after {@link FileSystem.syncDirectory}. After a crash of the machine, of the rest anything
 *            can be there: all, nothing, or parts in any order.
 * Errors     are those of the system, with `code` as Node.js sets it (`ENOSPC`, `EIO`, `ENOENT`, ...). After an error
 *            the operation may have been done in part.
 */

/** The files of one server. Paths are those of the system. */
export interface FileSystem {
  /** Names in a directory, in no order. */
  list(directory: string): Promise<readonly string[]>
  /** Makes a directory and those above it, durably, if they are not there. */
  makeDirectory(directory: string): Promise<void>
  /**
   * Opens a file.
   *
   * @param mode - `read`; `write` changes a file that is there; `create` makes one that is not there yet
   */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile>
  /** Gives a file another name; one of that name is replaced. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes the names in a directory durable as they are. */
  syncDirectory(directory: string): Promise<void>
}

/** A file that is open. */
export interface OpenFile {
  /** Its length in bytes. */
  size(): Promise<number>
  /** Reads at most `length` bytes; fewer only at the end of the file. */
  read(at: number, length: number): Promise<Uint8Array>
  /** Writes all of these bytes. */
  write(bytes: Uint8Array, at: number): Promise<void>
  /** Sets its length; added bytes are zero. */
  setSize(length: number): Promise<void>
  /** Makes its bytes and its length durable. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Whether an error says that there is no such file or directory. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The whole content of a small file; null if there is none. */
export async function readSmallFile(files: FileSystem, path: string, bytesMax: number): Promise<Uint8Array | null> {
  try {
    const file = await files.open(path, 'read')
    try {
      return await file.read(0, bytesMax)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/**
 * Puts a small file in its place, durably: after a crash it holds the old content or the new one.
 *
 * @param directory - ends without a separator
 */
export async function replaceFile(files: FileSystem, directory: string, name: string, content: string): Promise<void> {
  const path = `${directory}/${name}`
  const temporary = `${path}.tmp`
  await removeIfThere(files, temporary)
  const file = await files.open(temporary, 'create')
  try {
    await file.write(new Uint8Array(Buffer.from(content)), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
  await files.syncDirectory(directory)
}

/** Removes a file, if it is there. */
export async function removeIfThere(files: FileSystem, path: string): Promise<void> {
  try {
    await files.remove(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
