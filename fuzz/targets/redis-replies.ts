/**
 * The answers of a Redis: to scripts of ours, from keys that anybody can write.
 *
 * Input     an answer, nested: 0 a text, 1 bytes, 2 a number, 3 nothing, 4 a list.
 * Promises  it is read as the types of the contract, with stats that a node can have, or refused as
 *           `PROTOCOL_VIOLATION` or as what the answer says.
 */
import type { Operation } from '../../src/core/backend.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { childrenOf, dataOf, parseReply, readsOf, resultsOf, sizeOf } from '../../src/backends/redis/reply.ts'
import { statOf, statsOf } from '../../src/backends/redis/reply.ts'
import type { Reply } from '../../src/backends/redis/reply.ts'
import { BYTE_MUTATORS, textMutators } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import { InputReader, lengthy } from './records.ts'
import { oddities, statsIn } from './stranger-judge.ts'

const DEPTH_MAX = 6
const LIST_MAX = 64
const STAT = '5-1 5-2 5-3 1000 2000 4 -6 s5-9 e 0 8 2 11'
const OPERATIONS: readonly Operation[] = [
  { type: 'create', path: '/a', data: new Uint8Array(), mode: 'persistent' },
  { type: 'set', path: '/a', data: new Uint8Array(), version: 1 },
  { type: 'delete', path: '/b', version: -1 },
  { type: 'check', path: '/c', version: 1 },
]

function answerIn(reader: InputReader, depth = 0): unknown {
  switch (reader.byte() % 5) {
    case 0:
      return reader.value().toString('utf8')
    case 1:
      return reader.value()
    case 2:
      return reader.byte()
    case 3:
      return null
    default: {
      const count = depth === DEPTH_MAX ? 0 : reader.byte() % LIST_MAX
      return Array.from({ length: count }, () => answerIn(reader, depth + 1))
    }
  }
}

function inputOf(answer: unknown): Uint8Array {
  if (typeof answer === 'string') return Uint8Array.of(0, ...lengthy(answer))
  if (answer instanceof Uint8Array) return Uint8Array.of(1, ...lengthy(answer))
  if (typeof answer === 'number') return Uint8Array.of(2, answer)
  if (!Array.isArray(answer)) return Uint8Array.of(3)
  return Uint8Array.of(4, answer.length, ...Buffer.concat(answer.map(inputOf)))
}

/** The readers of a reply, one after the other: the first may refuse it, and the others not. */
const READS: readonly ((reply: Reply) => unknown)[] = [
  (reply) => statOf(reply, '/a'),
  (reply) => dataOf(reply, '/a'),
  (reply) => childrenOf(reply, '/a'),
  (reply) => statsOf(reply, ['/a', '/b']),
  (reply) => resultsOf(reply.payload, OPERATIONS, true),
  (reply) => resultsOf(reply.payload, OPERATIONS.slice(0, 1), false),
  (reply) => sizeOf(reply),
  (reply) => readsOf(reply, 2).map((one) => dataOf(one, '/a')),
]

function attempt(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof CoordinationError) return undefined
    throw error
  }
}

const FOUND = Buffer.from(STAT)
const SEEDS: readonly unknown[] = [
  ['OK', '5-4', [], FOUND, Buffer.from('data')],
  ['OK', '5-4', ['5-4 s 5-3\nD/b', '5-3 s 5-1 -\nC/a\nK/'], STAT, 'b\na'],
  ['OK', '5-4', ['?'], STAT, 'b\na'],
  ['OK', '5-9', [], STAT, Buffer.from('data'), STAT, 'b\na'],
  ['OK', '5-9', [], `C ${STAT} /a\nS ${STAT}\nX\nV`, ''],
  ['OK', '5-9', [], 'R 0 NO_NODE /a', ''],
  ['OK', '5-9', [], [STAT, '', '?'], ''],
  ['CORRUPT', '5-9', [], '{n}:n:/a', ''],
  ['EXPIRED', '', [], '', ''],
]

/** The target. */
export const redisReplies: Target = {
  name: 'redis-replies',
  reads: 'answers of a Redis',
  limits: PURE_LIMITS,
  mutators: [...BYTE_MUTATORS, ...textMutators(['OK', '5-1', STAT, '\n', ' ', 'R 0 ', 'C ', '9007199254740993-1'])],
  isPure: true,
  seeds: () => SEEDS.map(inputOf),
  run(input) {
    const answer = answerIn(new InputReader(input))
    const reply = attempt(() => parseReply(answer)) as Reply | undefined
    if (reply === undefined) return
    for (const read of READS) {
      const value = attempt(() => read(reply))
      const values = (Array.isArray(value) ? value : [value]) as unknown[]
      for (const stat of values.flatMap(statsIn)) {
        promise(oddities(stat).length === 0, `a stat with ${oddities(stat).join()} that no node has`)
      }
    }
  },
}
