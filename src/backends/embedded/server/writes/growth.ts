/** Which writes need memory that they do not give back: they are refused while there is none. */
import { OpCode } from '../../../wire/codes.ts'
import type { WriteOperation } from './prepare.ts'

const GROWING: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.setData,
  OpCode.setAcl,
])

/** Whether a write leaves more in memory than there was, or may: deletes and the ends of sessions never do. */
export function growsTree({ op, body }: WriteOperation): boolean {
  return op === OpCode.multi ? body.some((part) => GROWING.has(part.op)) : GROWING.has(op)
}
