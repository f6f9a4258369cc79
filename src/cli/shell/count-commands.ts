/** Commands on counters, shared values, ids, rates, queues and services. */
import { AtomicCounter } from '../../recipes/counters/atomic-counter.ts'
import { IdAllocator } from '../../recipes/counters/id-allocator.ts'
import { readBucket } from '../../recipes/counters/inspect.ts'
import { encodeInteger, rangeOf } from '../../recipes/counters/integer-bytes.ts'
import type { Bits } from '../../recipes/counters/integer-bytes.ts'
import { numberOf } from '../../recipes/counters/shared-count.ts'
import { writeVersioned } from '../../recipes/engine/compare-and-set.ts'
import { readSynced } from '../../recipes/engine/protected-writes.ts'
import { readQueueCounts } from '../../recipes/queues/inspect.ts'
import { ServiceRegistry } from '../../recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../recipes/services/service-watcher.ts'
import type { DiscoveredInstance } from '../../recipes/services/service-watcher.ts'
import { jsonData, textOf } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { versionOf, wrong } from './command.ts'
import { agoText } from './node-text.ts'
import { tableText } from './table.ts'
import { runVerb } from './verbs.ts'

const COUNTER_BITS = 64
const SHARED_COUNT_BITS = 32

/** The most ids that are taken at a time. */
const IDS_MAX = 1_000

const COUNTER: Command = {
  name: 'counter',
  usage: 'get path | add|set path number',
  summary: 'reads or changes the number of an AtomicCounter',
  verbs: {
    get: { words: [1, 1], run: counter },
    add: { words: [2, 2], run: counter },
    set: { words: [2, 2], run: counter },
  },
  words: [0, 3],
  run: (context, given) => runVerb(COUNTER, context, given),
}

const SHARED: Command = {
  name: 'shared',
  usage: 'get [-n] path | set [-n] [-v version] path value',
  summary: 'reads or replaces a SharedValue; -n: the number of a SharedCount; -v: if it has this version',
  flags: { n: 'alone', v: 'value' },
  verbs: {
    get: { words: [1, 1], flags: ['n'], run: getShared },
    set: { words: [2, 2], flags: ['n', 'v'], run: setShared },
  },
  words: [0, 3],
  run: (context, given) => runVerb(SHARED, context, given),
}

const IDS: Command = {
  name: 'ids',
  usage: 'get path | take path [count]',
  summary: 'shows the first id of an IdAllocator that no process has, or takes so many for the caller',
  verbs: {
    get: { words: [1, 1], run: nextId },
    take: { words: [1, 2], run: takeIds },
  },
  words: [0, 3],
  run: (context, given) => runVerb(IDS, context, given),
}

export const COUNT_COMMANDS: readonly Command[] = [
  COUNTER,
  SHARED,
  IDS,
  {
    name: 'rate',
    usage: 'path',
    summary: 'shows the rate of a RateLimiter, and how many tokens were there when they were taken last',
    words: [1, 1],
    run: rate,
  },
  {
    name: 'queue',
    usage: 'path',
    summary: 'counts the items of a DistributedQueue: all, those with a consumer, and those that were put away',
    words: [1, 1],
    run: queue,
  },
  {
    name: 'services',
    usage: 'path [name]',
    summary: 'lists the services that are registered below a node, or the instances of one',
    words: [1, 2],
    run: services,
  },
]

async function counter({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [what, path = '', text = ''] = given.words
  const number = new AtomicCounter(client(), path)
  const step = what === 'get' ? 0n : numberFrom(COUNTER, text, COUNTER_BITS)
  if (what === 'set') await number.set(step, { signal })
  const value = what === 'add' ? (await number.add(step, { signal })).after : await number.get({ signal })
  print({ text: `${value}\n`, json: { path, value } })
}

/** Reads a whole number of a length. */
function numberFrom(command: Command, text: string, bits: Bits): bigint {
  const number = /^-?\d{1,19}$/.test(text) ? BigInt(text) : null
  const [min, max] = rangeOf(bits)
  if (number !== null && number >= min && number <= max) return number
  throw wrong(command, `${JSON.stringify(text)} is no whole number of ${bits} bits`)
}

async function getShared({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const found = await readSynced(client(), path, signal)
  if (found === null) {
    print({ text: `${oneLine(path)} has no value\n`, json: { path, value: null, version: null } })
    return
  }
  const { data, stat: { version } } = found
  if (given.has('n')) {
    const value = numberOf(data, path)
    print({ text: `${value}\n`, json: { path, value, version } })
    return
  }
  print({ text: `${textOf(data) ?? `${data.length} bytes`}\n`, json: { path, ...jsonData(data), version } })
}

async function setShared({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', text = ''] = given.words
  const data = given.has('n')
    ? encodeInteger(numberFrom(SHARED, text, SHARED_COUNT_BITS), SHARED_COUNT_BITS)
    : new TextEncoder().encode(text)
  const wanted = versionOf(given)
  const { version, zxid } = await writeVersioned(client(), path, data, wanted === -1 ? 'any' : wanted, signal)
  print({ text: '', json: { path, version, zxid } })
}

async function nextId({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const next = await new AtomicCounter(client(), path).get({ signal })
  print({ text: `${next}\n`, json: { path, next } })
}

async function takeIds({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', text = '1'] = given.words
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > IDS_MAX) {
    throw wrong(IDS, `count must be a whole number from 1 to ${IDS_MAX}, got ${JSON.stringify(text)}`)
  }
  // One block of that size, so that none is lost.
  const allocator = new IdAllocator(client(), path, { block: count })
  const ids: bigint[] = []
  while (ids.length < count) ids.push(await allocator.next({ signal }))
  print({ text: ids.map((id) => `${id}\n`).join(''), json: { path, ids } })
}

async function rate({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const bucket = await readBucket(client(), path, signal)
  if (bucket === null) {
    print({ text: `${oneLine(path)} has no rate\n`, json: { path, rate: null } })
    return
  }
  const { limit, perMs, burst, tokens, writtenAtMs } = bucket
  const since = agoText(writtenAtMs, Date.now())
  const text = `${limit} per ${perMs} ms, ${burst} at once; ${tokens} left when some were taken last, ${since}\n`
  print({ text, json: { path, rate: { limit, perMs, burst }, tokens, writtenAtMs } })
}

async function queue({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const counts = await readQueueCounts(client(), path, signal)
  const { items, leased, dead, returned, attemptsMost } = counts
  const back = returned === 0 ? '' : `, ${returned} free that had been handed out, up to ${attemptsMost} times`
  print({ text: `${items} items, ${leased} with consumers${back}; ${dead} put away\n`, json: { path, ...counts } })
}

async function services({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [path = '', name] = given.words
  if (name === undefined) {
    const names = await new ServiceRegistry(client(), path).names({ signal })
    const lines = names.map((each) => `${oneLine(each)}\n`)
    print({ text: lines.length === 0 ? 'none\n' : lines.join(''), json: { path, services: names } })
    return
  }
  const watcher = new ServiceWatcher(client(), path, name)
  try {
    await watcher.ready({ signal })
    const { instances } = watcher
    const rows = instances.map((instance) => rowOf(instance, Date.now()))
    print({
      text: rows.length === 0 ? 'none\n' : tableText([['INSTANCE', 'AT', 'STATE', 'SINCE'], ...rows]),
      json: { path, name, instances: instances.map(jsonInstance) },
    })
  } finally {
    await watcher.close()
  }
}

function rowOf(instance: DiscoveredInstance, nowMs: number): string[] {
  const { id, address, port, sslPort, enabled, registrationTimeUTC } = instance
  const ports = [port, sslPort === null ? null : `${sslPort} (TLS)`].filter((each) => each !== null).join(', ')
  const at = visibleLine([address ?? '', ports].filter((part) => part !== '').join(':'))
  return [visibleLine(id), at, enabled ? 'up' : 'down', agoText(registrationTimeUTC, nowMs)]
}

function jsonInstance(instance: DiscoveredInstance): object {
  const { id, address, port, sslPort, payload = null, registrationTimeUTC, serviceType, enabled } = instance
  return { id, address, port, sslPort, payload, registrationTimeUTC, serviceType, enabled }
}
