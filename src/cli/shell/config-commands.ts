/** The command on values of a config center, `config get path` and so on; `config` alone is ZooKeeper's. */
import { isCoordinationError } from '../../core/errors.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import type { ConfigChange, ConfigPublishOptions } from '../../recipes/config/config-center.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import { jsonCodec } from '../../recipes/engine/codec.ts'
import type { Codec } from '../../recipes/engine/codec.ts'
import { UsageError } from '../exit-status.ts'
import type { Result } from '../output.ts'
import { oneLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { versionOf, wrong } from './command.ts'
import { editConfig } from './config-edit.ts'
import { historyOf, NOTE_FLAGS, noteOf } from './config-notes.ts'
import { compareVersions, listVersions, rollBack } from './config-versions.ts'
import { printServers } from './ensemble-commands.ts'
import { runVerb } from './verbs.ts'

const CONFIG: Command = {
  name: 'config',
  usage:
    'get|watch|history path | set [-v version] path json | edit [-y] [-schema file] path | diff path version version | '
    + 'rollback [-v version] path version | [-c] [-s]',
  summary:
    'reads, watches, replaces or edits a value of a config center, which is JSON; -v if it has this version; ' +
    'shows what it was, and takes it back; alone, prints the servers of the ensemble',
  details: `edit opens it in $VISUAL or $EDITOR, shows what has changed, and publishes it if nobody else has meanwhile
  -y            without asking
  -schema file  a JavaScript module whose default export is a Standard Schema that the value has to match
history lists the versions that a ConfigCenter with the option history has kept, the newest first
  -n count      so many of them
diff shows what has changed from one of these versions to another
rollback publishes one of them again, byte by byte, as a new version
  -v version    if the value's node has this version, which is the one of stat and set, not of the history
set, edit and rollback record what they publish, where a history is kept
  -a author     who does it
  -m comment    why; a rollback says by default what was said of that version
  -staged what  of a value that is staged for some: keep it or withdraw it
without a path
  -c            where clients connect, instead of the servers
  -s            with the stat of /zookeeper/config
`,
  flags: {
    v: 'value',
    y: 'alone',
    schema: 'value',
    n: 'value',
    a: 'value',
    m: 'value',
    staged: 'value',
    c: 'alone',
    s: 'alone',
  },
  verbs: {
    get: { words: [1, 1], run: getConfig },
    set: { words: [2, 2], flags: ['v', ...NOTE_FLAGS], run: setConfig },
    watch: { words: [1, 1], run: watchConfig },
    edit: {
      words: [1, 1],
      flags: ['y', 'schema', ...NOTE_FLAGS],
      run: (context, given) => editConfig(context, given, context.isInteractive),
    },
    history: { words: [1, 1], flags: ['n'], run: listVersions },
    diff: { words: [3, 3], run: compareVersions },
    rollback: {
      words: [2, 2],
      flags: ['v', ...NOTE_FLAGS],
      run: (context, given) => rollBack(context, given, guardOf(given)),
    },
  },
  words: [0, 4],
  run: async (context, given) => {
    if (given.words.length > 0) return runVerb(CONFIG, context, given)
    const ofValues = Object.keys(CONFIG.flags ?? {}).find((flag) => given.has(flag) && !['c', 's'].includes(flag))
    if (ofValues !== undefined) throw wrong(CONFIG, `-${ofValues} needs a path`)
    await printServers(context, given)
  },
}

export const CONFIG_COMMANDS: readonly Command[] = [CONFIG]

/** JSON, and a description of a secret. */
function readingCodec(): Codec<unknown> {
  const json = jsonCodec<unknown>()
  return { ...json, decode: (bytes, path) => secretText(bytes) ?? json.decode(bytes, path) }
}

async function getConfig({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const center = new ConfigCenter<unknown>(client(), path, { codec: readingCodec() })
  try {
    const value = await center.ready({ signal })
    print(describe(path, { value, version: center.version }))
  } finally {
    await center.close()
  }
}

/** The condition of a write: the version of `-v`, or none. */
function guardOf(given: Given): Pick<ConfigPublishOptions, 'ifVersion' | 'force'> {
  const version = versionOf(given)
  return version === -1 ? { force: true } : { ifVersion: version }
}

async function setConfig({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', text = ''] = given.words
  const value = readJson(text)
  const note = noteOf(given)
  const center = new ConfigCenter<unknown>(client(), path, await historyOf(client(), path, signal))
  try {
    const written = await center.publish(value, { ...guardOf(given), ...note, signal })
    print({ text: '', json: { path, version: written.version, zxid: written.zxid } })
  } catch (error) {
    if (isCoordinationError(error, 'INVALID_VALUE')) throw new UsageError(error.message)
    throw error
  } finally {
    await center.close()
  }
}

/** Prints the value now, and each time that it changes, until the watch is removed or the shell ends. */
function watchConfig({ client, events, watches }: CommandContext, given: Given): void {
  const path = given.word(1)
  const center = new ConfigCenter<unknown>(client(), path, { codec: readingCodec() })
  center.subscribe((change: ConfigChange<unknown>) => {
    events.print(describe(path, change))
  })
  watches.add({ kind: 'config', path, stop: () => void center.close() })
}

function describe(path: string, { value, version }: Pick<ConfigChange<unknown>, 'value' | 'version'>): Result {
  if (version === null) return { text: `${oneLine(path)} has no value\n`, json: { path, value: null, version: null } }
  return { text: `${JSON.stringify(value)}\n`, json: { path, value, version } }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new UsageError(`${JSON.stringify(text)} is not JSON; a string needs its quotes, as in '"text"'`)
  }
}
