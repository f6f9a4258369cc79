/** Commands on the shell itself: connect, close, version, history, redo, help, quit. */
import { askedLogin } from '../credentials.ts'
import { ExitStatus, Failure, UsageError } from '../exit-status.ts'
import { packageVersion } from '../package-version.ts'
import type { Command, CommandContext, Given } from './command.ts'

/** See the head of this file. */
export const SESSION_COMMANDS: readonly Command[] = [
  {
    name: 'connect',
    usage: '[-p] [host:port | URL]',
    summary: 'connects, to the same place again if none is named; -p asks for the password of Redis or etcd',
    flags: { p: 'alone' },
    words: [0, 1],
    run: connect,
  },
  {
    name: 'close',
    usage: '',
    summary: 'ends the session, and with it its ephemeral nodes',
    words: [0, 0],
    run: async ({ control, print }) => {
      await control.close()
      print({ text: '', json: { closed: true } })
    },
  },
  {
    name: 'version',
    usage: '',
    summary: 'prints the version of this program',
    words: [0, 0],
    run: async ({ print }) => {
      const version = packageVersion()
      print({ text: `quorate ${version}\n`, json: { version } })
    },
  },
  {
    name: 'history',
    usage: '',
    summary: 'lists the last commands, each with its number',
    words: [0, 0],
    run: async ({ history, print }) => {
      const lines = history.last()
      print({ text: lines.map(({ number, line }) => `${number} - ${line}\n`).join(''), json: { history: lines } })
    },
  },
  {
    name: 'redo',
    usage: 'number',
    summary: 'runs a command of the history again',
    words: [1, 1],
    run: redo,
  },
  {
    name: 'quit',
    usage: '',
    summary: 'ends the session and the shell; so do exit and Ctrl-D',
    words: [0, 0],
    run: async ({ control }) => {
      control.quit()
    },
  },
]

async function connect({ control, ask, signal, print }: CommandContext, given: Given): Promise<void> {
  const [url] = given.words
  if (given.has('p')) {
    if (url === undefined) throw new UsageError('connect -p needs the URL to connect to')
    if (ask === null) throw new UsageError('connect -p asks for a password, which needs a terminal')
    await control.connect({ url, login: await askedLogin(url, ask) }, signal)
  } else {
    await control.connect(url === undefined ? undefined : { url, login: null }, signal)
  }
  print({ text: '', json: { connected: control.place } })
}

async function redo({ history, control, signal }: CommandContext, given: Given): Promise<void> {
  const status = await control.runLine(history.redo(given.word(0)), signal)
  // It has said itself what was wrong.
  if (status !== ExitStatus.ok) throw new Failure('', status)
}
