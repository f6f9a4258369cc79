/** A file system that tells how much is written through it. */
import type { FileSystem, OpenFile } from '../../backends/embedded/host/storage/file-system.ts'

/**
 * Goes between a file system and its user.
 *
 * @param onWritten - hears of each write, with its bytes
 */
export function countingWrites(files: FileSystem, onWritten: (bytes: number) => void): FileSystem {
  const open = async (path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> => {
    const file = await files.open(path, mode)
    return {
      size: () => file.size(),
      read: (at, length) => file.read(at, length),
      write: async (bytes, at) => {
        await file.write(bytes, at)
        onWritten(bytes.length)
      },
      setSize: (length) => file.setSize(length),
      sync: () => file.sync(),
      close: () => file.close(),
    }
  }
  return { ...files, open }
}
