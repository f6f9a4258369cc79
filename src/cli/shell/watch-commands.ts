/** Commands on watches: addWatch, removewatches, printwatches. */
import { WatcherType } from '../../backends/wire/codes.ts'
import { validatePath } from '../../core/path.ts'
import { Failure, UsageError } from '../exit-status.ts'
import type { PersistentWatchMode } from '../../backends/zookeeper/extension/side-requests.ts'
import type { Command, CommandContext, Given } from './command.ts'
import type { WatchKind } from './watch-list.ts'

const MODES: Readonly<Record<string, PersistentWatchMode>> = {
  PERSISTENT: 'persistent',
  PERSISTENT_RECURSIVE: 'persistentRecursive',
}

/** The kinds of watches that a flag of removewatches is about. */
const KINDS: Readonly<Record<string, readonly WatchKind[]>> = {
  c: ['children'],
  d: ['data'],
  p: ['persistent'],
  r: ['persistentRecursive'],
}

/** zkCli's events for watches that are removed. */
const REMOVED: Readonly<Record<WatchKind, string>> = {
  children: 'ChildWatchRemoved',
  data: 'DataWatchRemoved',
  persistent: 'PersistentWatchRemoved',
  persistentRecursive: 'PersistentWatchRemoved',
  config: 'DataWatchRemoved',
}

export const WATCH_COMMANDS: readonly Command[] = [
  {
    name: 'addWatch',
    usage: '[-m PERSISTENT|PERSISTENT_RECURSIVE] path',
    summary: 'tells of every change of a node, and (recursive, the default) of all below it, until it is removed',
    flags: { m: 'value' },
    words: [1, 1],
    run: addWatch,
  },
  {
    name: 'removewatches',
    usage: 'path [-c|-d|-p|-r|-a]',
    summary: 'removes watches: -c of ls, -d of get and stat, -p and -r of addWatch, -a all, the default',
    flags: { c: 'alone', d: 'alone', p: 'alone', r: 'alone', a: 'alone', l: 'alone' },
    words: [1, 1],
    run: removeWatches,
  },
  {
    name: 'printwatches',
    usage: '[on|off]',
    summary: 'says whether events are printed, or changes it',
    words: [0, 1],
    run: async ({ events, print }, given) => {
      const word = given.words[0]
      if (word !== undefined && word !== 'on' && word !== 'off') {
        throw new UsageError(`printwatches takes on or off, got ${JSON.stringify(word)}`)
      }
      if (word !== undefined) events.isOn = word === 'on'
      const state = events.isOn ? 'on' : 'off'
      print({ text: word === undefined ? `printwatches is ${state}\n` : '', json: { printwatches: state } })
    },
  },
]

async function addWatch({ watches, events, zookeeper, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  validatePath(path)
  const word = given.value('m') ?? 'PERSISTENT_RECURSIVE'
  const mode = Object.hasOwn(MODES, word) ? MODES[word] : undefined
  if (mode === undefined) {
    throw new UsageError(`-m must be ${Object.keys(MODES).join(' or ')}, got ${JSON.stringify(word)}`)
  }
  await zookeeper().addWatch(path, mode, events.tell)
  watches.take(path, ['persistent', 'persistentRecursive'])
  watches.add({ kind: mode, path, stop: () => undefined })
  print({ text: '', json: { watching: path, mode: word } })
}

async function removeWatches(context: CommandContext, given: Given): Promise<void> {
  const { watches, events, client, zookeeper, print } = context
  const path = given.word(0)
  validatePath(path)
  client()
  const flag = Object.keys(KINDS).find((name) => given.has(name))
  const taken = [...watches.take(path, flag === undefined ? null : (KINDS[flag] ?? null))]
  if (taken.length === 0) throw new Failure(`there is no such watch on ${path}`)
  if (taken.some(({ kind }) => kind === 'persistent' || kind === 'persistentRecursive')) {
    // ZooKeeper 3.8 removes persistent watches with all others of the path, or not at all.
    taken.push(...watches.take(path, ['children', 'data']))
    await zookeeper().removeWatches(path, WatcherType.any)
  }
  for (const { kind } of taken) events.tellRemoved(REMOVED[kind], path)
  print({ text: '', json: { removed: path, watches: taken.length } })
}
