/** The inputs of one turn: as many as fit in its time, and of one client no more than its part. */
import type { FairInputs } from './fair-inputs.ts'
import { limitOf } from './limits.ts'
import type { WriteBrake } from './write-brake.ts'

/** Inputs that are left after this much of a turn wait for the next turn. */
const INPUTS_MS_MAX = limitOf('turnMs')
/** A client that has had this much of a turn waits for the next: by then the sockets of the others have been read. */
const CLIENT_MS_MAX = limitOf('clientTurnMs')

/** Runs the inputs of a turn. */
export function runTurn(inputs: FairInputs, brake: WriteBrake | null): void {
  const startMs = performance.now()
  const hadMs = new Map<number | null, number>()
  for (let nowMs = startMs; nowMs - startMs < INPUTS_MS_MAX; ) {
    brake?.slow(nowMs)
    const next = inputs.take()
    if (next === null) return
    const { connection, input } = next
    brake?.taken(connection, input)
    input.run()
    const afterMs = performance.now()
    inputs.charge(connection, afterMs - nowMs)
    const ofClient = (hadMs.get(connection) ?? 0) + afterMs - nowMs
    if (connection !== null && ofClient >= CLIENT_MS_MAX) return
    hadMs.set(connection, ofClient)
    nowMs = afterMs
  }
}
