/** The writes of clients that faults may strike at. */
import { OpCode } from '../../backends/wire/codes.ts'
import type { LosableRequest } from './plan.ts'

/** Operations of the requests whose answers can be lost. */
export const LOSABLE_OPS: Readonly<Record<LosableRequest, readonly number[]>> = Object.freeze({
  create: [OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL],
  set: [OpCode.setData],
  delete: [OpCode.delete],
  multi: [OpCode.multi],
})

/** The operations of all of them. */
export const WRITE_OPS: ReadonlySet<number> = new Set(Object.values(LOSABLE_OPS).flat())
