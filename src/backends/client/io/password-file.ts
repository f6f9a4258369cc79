/** A password in a file. */
import { readFile } from 'node:fs/promises'

/**
 * The first line of a file.
 *
 * @throws Error that names the file, if it cannot be read or the line is empty
 */
export async function firstLineOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot read the password in ${file}: ${reason}`, { cause })
  })
  const line = text.split(/\r?\n/, 1)[0] ?? ''
  if (line === '') throw new Error(`the first line of ${file} is empty: there is no password`)
  return line
}
