/** Commands on gates: `barrier`, `double-barrier` and `latch`. */
import { nameOf } from '../../core/path.ts'
import { Barrier } from '../../recipes/barriers/barrier.ts'
import { CountDownLatch } from '../../recipes/barriers/count-down-latch.ts'
import { readDoubleBarrier, readLatch } from '../../recipes/barriers/inspect.ts'
import type { SeenLatch } from '../../recipes/barriers/inspect.ts'
import { Failure } from '../exit-status.ts'
import type { Result } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { agoText, hex } from './node-text.ts'
import { tableText } from './table.ts'
import { runVerb } from './verbs.ts'

const BARRIER: Command = {
  name: 'barrier',
  usage: 'get|raise|lower path',
  summary: 'tells whether a Barrier is up, raises it, or lowers it and lets all go on who wait',
  verbs: {
    get: { words: [1, 1], run: barrier },
    raise: { words: [1, 1], run: barrier },
    lower: { words: [1, 1], run: barrier },
  },
  words: [0, 2],
  run: (context, given) => runVerb(BARRIER, context, given),
}

const LATCH: Command = {
  name: 'latch',
  usage: 'get path | count path [id]',
  summary: 'shows how many things a CountDownLatch waits for, or counts one of them as done; an id counts once',
  verbs: {
    get: { words: [1, 1], run: showLatch },
    count: { words: [1, 2], run: countDown },
  },
  words: [0, 3],
  run: (context, given) => runVerb(LATCH, context, given),
}

export const GATE_COMMANDS: readonly Command[] = [
  BARRIER,
  {
    name: 'double-barrier',
    usage: 'path',
    summary: 'lists the members of a DoubleBarrier, and which of them are in',
    words: [1, 1],
    run: doubleBarrier,
  },
  LATCH,
]

async function barrier({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [what, path = ''] = given.words
  const gate = new Barrier(client(), path)
  if (what === 'raise') await gate.raise({ signal })
  else if (what === 'lower') await gate.lower({ signal })
  const isUp = what === 'get' ? await gate.isUp({ signal }) : what === 'raise'
  print({ text: isUp ? 'up\n' : 'down\n', json: { path, isUp } })
}

async function doubleBarrier({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const { isOpen, members } = (await readDoubleBarrier(client(), path, signal)) ?? { isOpen: false, members: [] }
  const nowMs = Date.now()
  const rows = members.map(({ path: own, isIn, sinceMs, sessionId }) => {
    return [visibleLine(nameOf(own)), isIn ? 'in' : 'waits', agoText(sinceMs, nowMs), hex(sessionId)]
  })
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([['MEMBER', 'STATE', 'SINCE', 'SESSION'], ...rows]),
    json: { path, isOpen, members },
  })
}

async function showLatch({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  print(describeLatch(path, await readLatch(client(), path, signal)))
}

async function countDown({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', id] = given.words
  const before = await readLatch(client(), path, signal)
  // Without one nobody knows its count.
  if (before === null) throw new Failure(`${oneLine(path)} has no latch`)
  const latch = new CountDownLatch(client(), path, { count: before.count })
  await latch.countDown(id === undefined ? { signal } : { id, signal })
  print(describeLatch(path, await readLatch(client(), path, signal)))
}

function describeLatch(path: string, latch: SeenLatch | null): Result {
  if (latch === null) return { text: `${oneLine(path)} has no latch\n`, json: { path, count: null } }
  const { count, done } = latch
  const remaining = Math.max(0, count - done.length)
  const text = `${done.length} of ${count} done, ${remaining === 0 ? 'open' : `${remaining} to go`}\n`
  return { text, json: { path, count, remaining, done } }
}
