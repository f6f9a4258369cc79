/**
 * Lines that are typed at the shell, lists of rights, and the URLs and connection strings that programs are given.
 *
 * Input     a text, read as each of these.
 * Promises  it is understood, or refused by an error that says what is wrong with it (UsageError, Failure, TypeError,
 *           RangeError as documented); completion offers something or nothing; a login is in no message.
 */
import { CoordinationError } from '../../src/core/errors.ts'
import { destinationOf } from '../../src/backends/zookeeper/connection-string.ts'
import { engineOf } from '../../src/cli/connect-url.ts'
import { Failure, UsageError } from '../../src/cli/exit-status.ts'
import { aclEntryText, readAcl } from '../../src/cli/shell/acl-text.ts'
import { readCommand, COMMAND_NAMES } from '../../src/cli/shell/commands.ts'
import { complete } from '../../src/cli/shell/completion.ts'
import { Shell } from '../../src/cli/shell/shell.ts'
import { wordsOf } from '../../src/cli/words.ts'
import { backendOfUrl } from '../../src/connect-url.ts'
import { isOfTheEngine } from '../judge.ts'
import { textMutators } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'

/** Stands where a password does in the seeds. */
const SECRET = 'f00zsecret'
/** These would go to other machines, read files or run programs. */
const NOT_RUN = new Set(['connect', 'redo', 'import', 'reconfig'])

const OWN = [
  ...COMMAND_NAMES,
  ...['-e', '-s', '-w', '-v', '-t', '-R', '--json', '--help', '-file', '-members'],
  ...['/a/b', '/', '"a b"', 'world:anyone:cdrwa'],
  ...['zookeeper://', 'zookeepers://', 'etcd://', 'etcds://', 'redis://', 'rediss://', 'embedded:', '?servers=3'],
  ...[`user:${SECRET}@`, 'host:2181', 'host1:2181,host2:2182/chroot', '?namespace=x', '[::1]:2181', '%zz'],
]
const SEEDS = [
  'create -e -s /a "some data" world:anyone:cdrwa', 'ls -s -R /', 'get -w /a', 'set /a data -v 3', 'help create',
  'stat /a', 'delete -v 1 /a', 'getAcl /a', 'setAcl /a digest:user:hash:cdrwa,ip:127.0.0.1:r', 'sync /',
  'addWatch -m PERSISTENT /a', 'removewatches /a -d', 'config', 'setquota -n 5 /a', 'lock /l -- true', 'history',
  'constructor x', 'printwatches on', "create /a 'it is'", 'deleteall /a -b 100',
  'host1:2181,host2:2182/chroot', 'zookeeper://host:2181/a', `redis://user:${SECRET}@host:6379/0?namespace=n`,
  `etcd://user:${SECRET}@host:2379,host2:2379/prefix`, 'embedded:?servers=3', `zookeepers://u:${SECRET}@h:1/c`,
]

/** Whether one of these refused it. */
function isRefusal(error: unknown): boolean {
  return error instanceof UsageError || error instanceof Failure
}

async function refusedBy(isExpected: (error: unknown) => boolean, read: () => unknown): Promise<string> {
  try {
    await read()
    return ''
  } catch (error) {
    if (!isExpected(error)) throw error
    return (error as Error).message
  }
}

function isMisuse(error: unknown): boolean {
  if (error instanceof CoordinationError) return true
  return (error instanceof TypeError || error instanceof RangeError) && !isOfTheEngine(error)
}

async function runLine(line: string): Promise<void> {
  let words: string[] = []
  await refusedBy(isRefusal, () => (words = wordsOf(line)))
  if (words.length === 0) return
  await refusedBy(isRefusal, async () => {
    const { command } = readCommand(words)
    if (NOT_RUN.has(command.name) || command.runsProgram === true) return
    const printed: string[] = []
    const output = { out: (text: string) => printed.push(text), err: (text: string) => printed.push(text) }
    const limits = { sessionTimeoutMs: 4_000, connectTimeoutMs: 100 }
    const shell = new Shell({ output, url: 'embedded:', login: null, json: false, isInteractive: false, ...limits })
    const status = await shell.runLine(line)
    const text = printed.join('')
    const isOdd = text.split('\n').some((one) => isOfTheEngine(new Error(one)))
    promise(!isOdd, `an error of the engine is printed: ${text}`)
    promise(Number.isInteger(status), `the exit status ${status}`)
    await shell.close()
  })
}

/** The target. */
export const shell: Target = {
  name: 'shell',
  reads: 'lines of the shell, lists of rights, URLs and connection strings',
  limits: PURE_LIMITS,
  mutators: textMutators(OWN),
  isPure: true,
  seeds: () => SEEDS.map((text) => Buffer.from(text)),
  async run(input) {
    const text = Buffer.from(input).toString('utf8')
    await complete(text, null)
    await runLine(text)
    await refusedBy(isRefusal, () => readAcl(text).map(aclEntryText))
    const messages = [
      await refusedBy(isMisuse, () => destinationOf(text)),
      await refusedBy(isMisuse, async () => (await backendOfUrl(text)).close()),
    ]
    // That one starts servers.
    if (!text.startsWith('embedded:')) {
      messages.push(await refusedBy((error) => isRefusal(error) || isMisuse(error), () => engineOf(text)))
    }
    if (!/^\w+:\/\/[^@/?#]*:f00zsecret@[^@]*$/.test(text) || text.split(SECRET).length !== 2) return
    for (const message of messages) promise(!message.includes(SECRET), `a password is in a message: ${message}`)
  },
}
