/** Commands on counters, rates, queues and services. */
import { AtomicCounter } from '../../recipes/counters/atomic-counter.ts'
import { readBucket } from '../../recipes/counters/inspect.ts'
import { readQueueCounts } from '../../recipes/queues/inspect.ts'
import { ServiceRegistry } from '../../recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../recipes/services/service-watcher.ts'
import type { DiscoveredInstance } from '../../recipes/services/service-watcher.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'
import { agoText } from './node-text.ts'
import { tableText } from './table.ts'
import { runVerb } from './verbs.ts'

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

export const COUNT_COMMANDS: readonly Command[] = [
  COUNTER,
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
  const [what = '', path = '', text] = given.words
  const number = new AtomicCounter(client(), path)
  if (what === 'set') await number.set(integer(text), { signal })
  const value = what === 'add' ? (await number.add(integer(text), { signal })).after : await number.get({ signal })
  print({ text: `${value}\n`, json: { path, value } })
}

function integer(text = ''): bigint {
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text)
  throw wrong(COUNTER, `${JSON.stringify(text)} is no whole number`)
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
  const { items, leased, dead } = await readQueueCounts(client(), path, signal)
  print({ text: `${items} items, ${leased} with consumers; ${dead} put away\n`, json: { path, items, leased, dead } })
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
