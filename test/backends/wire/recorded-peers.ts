/** Reads recorded-peers.txt: frames of real servers. */
import { readFileSync } from 'node:fs'
import { OpCode } from '../../../src/backends/wire/codes.ts'

/** In a packet with a transaction: where the length of its data is, and the type of the transaction. */
const LENGTH_AT = 12
const TXN_TYPE_AT = 44
const DIGEST_BYTES = 12
const NO_AUTHINFO_BYTES = 4

/** One frame as it was on the wire. */
export interface RecordedFrame {
  readonly from: 'leader' | 'learner'
  readonly name: string
  readonly bytes: Uint8Array
}

/** The frames of one connection to the quorum port. */
export interface RecordedLink {
  readonly title: string
  readonly learner: number
  readonly leader: number
  readonly frames: readonly RecordedFrame[]
}

/** One notification, without the length of its frame. */
export interface RecordedNotification {
  readonly title: string
  readonly bytes: Uint8Array
}

interface Block {
  readonly title: string
  readonly bytes: Uint8Array
}

const sections = readFileSync(new URL('recorded-peers.txt', import.meta.url), 'utf8').trim().split('\n\n').slice(1)

export const RECORDED_LINKS: readonly RecordedLink[] = sections.flatMap((section) => {
  const found = /^link learner (\d+) leader (\d+): (.*)\n/.exec(section)
  if (found === null) return []
  const [head, learner, leader, title = ''] = found
  const frames = blocksOf(section.slice(head.length)).map((block): RecordedFrame => {
    const [from, name = ''] = block.title.split(' ')
    return { from: from === 'leader' ? 'leader' : 'learner', name, bytes: block.bytes }
  })
  return [{ title, learner: Number(learner), leader: Number(leader), frames }]
})

export const RECORDED_NOTIFICATIONS: readonly RecordedNotification[] = sections
  .filter((section) => section.startsWith('election\n'))
  .flatMap((section) => blocksOf(section.slice('election\n'.length)))

/**
 * The bytes of a frame as ours would send them: a transaction without the digest that follows it at a real leader. A
 * refusal has none.
 */
export function withoutDigest({ name, bytes }: RecordedFrame): Uint8Array {
  if (name !== 'PROPOSAL' && name !== 'INFORM') return bytes
  const frame = Buffer.from(bytes)
  if (frame.readInt32BE(TXN_TYPE_AT) === OpCode.error) return bytes
  frame.writeInt32BE(frame.readInt32BE(LENGTH_AT) - DIGEST_BYTES, LENGTH_AT)
  const end = frame.length - NO_AUTHINFO_BYTES
  return Uint8Array.from(Buffer.concat([frame.subarray(0, end - DIGEST_BYTES), frame.subarray(end)]))
}

/** A line that is not indented names a frame, the indented ones after it are its bytes. */
function blocksOf(text: string): Block[] {
  return text.split(/\n(?! )/).map((block) => {
    const [title = '', ...lines] = block.split('\n')
    return { title, bytes: Uint8Array.from(Buffer.from(lines.join('').replaceAll(' ', ''), 'hex')) }
  })
}
