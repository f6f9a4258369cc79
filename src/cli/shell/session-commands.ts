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
    run: async ({ shell, print }) => {
      await shell.close()
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
    run: async ({ shell, print }) => {
      const lines = shell.history()
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
    run: async ({ shell }) => {
      shell.isOver = true
    },
  },
]

async function connect({ shell, signal, print }: CommandContext, given: Given): Promise<void> {
  const [url] = given.words
  if (given.has('p')) {
    if (url === undefined) throw new UsageError('connect -p needs the URL to connect to')
    if (shell.ask === null) throw new UsageError('connect -p asks for a password, which needs a terminal')
    await shell.connect({ url, login: await askedLogin(url, shell.ask) }, signal)
  } else {
    await shell.connect(url === undefined ? undefined : { url, login: null }, signal)
  }
  print({ text: '', json: { connected: shell.place } })
}

async function redo({ shell, signal }: CommandContext, given: Given): Promise<void> {
  const text = given.word(0)
  const last = shell.lines.length - 1
  const number = /^\d+$/.test(text) ? Number(text) : Infinity
  // The last line is this redo itself, if it was typed.
  const line = number < last ? shell.lines[number] : undefined
  if (line === undefined) throw new UsageError(`there is no command ${text} in the history`)
  if (/^\s*redo\b/.test(line)) throw new UsageError('No redoing redos')
  shell.lines.pop()
  const status = await shell.runLine(line, signal)
  // It has said itself what was wrong.
  if (status !== ExitStatus.ok) throw new Failure('', status)
}
