/** Commands on what the recipes keep: `members`, and `config get|set|watch`; `config` alone is ZooKeeper's. */
import { isCoordinationError } from '../../core/errors.ts'
import type { Codec } from '../../recipes/engine/codec.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import type { ConfigChange } from '../../recipes/config/config-center.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import { jsonCodec } from '../../recipes/engine/codec.ts'
import { GroupMembership } from '../../recipes/membership/group-membership.ts'
import { UsageError } from '../exit-status.ts'
import { textOf } from '../output.ts'
import type { Result } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { versionOf, wrong } from './command.ts'
import { editConfig } from './config-edit.ts'
import { agoText, hex } from './node-text.ts'
import { printServers } from './ensemble-commands.ts'
import { tableText } from './table.ts'

const DATA_CHARS_MAX = 60

const CONFIG: Command = {
  name: 'config',
  usage: 'get|watch path | set [-v version] path json | edit [-y] [-schema file] path | [-c] [-s]',
  summary:
    'reads, watches, replaces or edits a value of a config center, which is JSON; -v if it has this version; ' +
    'alone, prints the servers of the ensemble',
  details: `edit opens it in $VISUAL or $EDITOR, shows what has changed, and publishes it if nobody else has meanwhile
  -y            without asking
  -schema file  a JavaScript module whose default export is a Standard Schema that the value has to match
without a path
  -c            where clients connect, instead of the servers
  -s            with the stat of /zookeeper/config
`,
  flags: { v: 'value', y: 'alone', schema: 'value', c: 'alone', s: 'alone' },
  words: [0, 3],
  run: config,
}

export const RECIPE_COMMANDS: readonly Command[] = [
  {
    name: 'members',
    usage: 'path',
    summary: 'lists the members of a group, since when they are there and what they say of themselves',
    words: [1, 1],
    run: members,
  },
  CONFIG,
]

/** Decodes JSON; other data are shown as their text, or as their length. */
const lenientCodec: Codec<unknown> = {
  encode: () => {
    throw new TypeError('only for reading')
  },
  decode: (bytes) => {
    const text = textOf(bytes)
    if (text === null) return `${bytes.length} bytes`
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text
    }
  },
}

async function members({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const group = new GroupMembership<unknown>(client(), path, { codec: lenientCodec })
  const found = await group.members({ signal })
  const nowMs = Date.now()
  const rows = found.map((member) => {
    return [visibleLine(member.id), agoText(member.sinceMs, nowMs), hex(member.sessionId), says(member.data)]
  })
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([['MEMBER', 'SINCE', 'SESSION', 'SAYS'], ...rows]),
    json: {
      path,
      members: found.map(({ id, sinceMs, sessionId, incarnation, data = null }) => ({
        id,
        sinceMs,
        sessionId,
        incarnation,
        data,
      })),
    },
  })
}

async function config(context: CommandContext, given: Given): Promise<void> {
  const [what, path, value] = given.words
  if (what === undefined) {
    const ofValues = ['v', 'y', 'schema'].find((flag) => given.has(flag))
    if (ofValues !== undefined) throw wrong(CONFIG, `-${ofValues} needs a path`)
    await printServers(context, given)
    return
  }
  const ofServers = ['c', 's'].find((flag) => given.has(flag))
  if (ofServers !== undefined) throw wrong(CONFIG, `${what} has no flag -${ofServers}`)
  if (path === undefined) throw wrong(CONFIG, 'too few arguments')
  const takesValue = what === 'set'
  if (!['get', 'set', 'watch', 'edit'].includes(what)) {
    throw wrong(CONFIG, `it takes get, set, watch or edit, got ${JSON.stringify(what)}`)
  }
  if (takesValue !== (value !== undefined)) {
    throw wrong(CONFIG, `${what}: too ${takesValue ? 'few' : 'many'} arguments`)
  }
  if (!takesValue && given.has('v')) throw wrong(CONFIG, `${what} has no flag -v`)
  const ofEdit = ['y', 'schema'].find((flag) => given.has(flag))
  if (what !== 'edit' && ofEdit !== undefined) throw wrong(CONFIG, `${what} has no flag -${ofEdit}`)
  if (what === 'get') await getConfig(context, path)
  else if (what === 'set') await setConfig(context, given)
  else if (what === 'edit') await editConfig(context, given, context.isInteractive)
  else watchConfig(context, path)
}

/** JSON, and a description of a secret. */
function readingCodec(): Codec<unknown> {
  const json = jsonCodec<unknown>()
  return { ...json, decode: (bytes, path) => secretText(bytes) ?? json.decode(bytes, path) }
}

async function getConfig({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const center = new ConfigCenter<unknown>(client(), path, { codec: readingCodec() })
  try {
    const value = await center.ready({ signal })
    print(describe(path, { value, version: center.version }))
  } finally {
    await center.close()
  }
}

async function setConfig({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', text = ''] = given.words
  const value = readJson(text)
  const center = new ConfigCenter<unknown>(client(), path)
  try {
    const version = versionOf(given)
    const guard = given.has('v') && version !== -1 ? { ifVersion: version } : { force: true }
    const written = await center.publish(value, { ...guard, signal })
    print({ text: '', json: { path, version: written.version, zxid: written.zxid } })
  } catch (error) {
    if (isCoordinationError(error, 'INVALID_VALUE')) throw new UsageError(error.message)
    throw error
  } finally {
    await center.close()
  }
}

/** Prints the value now, and each time that it changes, until the watch is removed or the shell ends. */
function watchConfig({ client, events, watches }: CommandContext, path: string): void {
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

function says(data: unknown): string {
  if (data === undefined) return ''
  const line = visibleLine(typeof data === 'string' ? data : JSON.stringify(data))
  return line.length <= DATA_CHARS_MAX ? line : `${line.slice(0, DATA_CHARS_MAX - 3)}...`
}
