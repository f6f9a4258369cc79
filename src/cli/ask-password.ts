/** Asks for a password at a terminal, without echo. */
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Ask } from './credentials.ts'
import { ExitStatus, Failure } from './exit-status.ts'

/**
 * How to ask, while nothing else reads the terminal.
 *
 * @returns null if nobody is there to be asked
 */
export function askerOf(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Ask | null {
  if (!input.isTTY || !output.isTTY) return null
  return (question) => ask(input, output, question)
}

function ask(input: NodeJS.ReadStream, output: NodeJS.WriteStream, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
    // Only now does the terminal echo nothing.
    output.write(question)
    editor.once('line', (line) => {
      resolve(line)
      editor.close()
    })
    editor.once('SIGINT', () => {
      reject(new Failure('interrupted', ExitStatus.signal + constants.signals.SIGINT))
      editor.close()
    })
    editor.once('close', () => {
      output.write('\n')
      reject(new Failure('no password was given'))
    })
  })
}
