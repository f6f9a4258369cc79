/**
 * Every record that a client or a server sends, every packet between servers, and the streams that they come in.
 *
 * Input     the number of the form, then its bytes.
 * Promises  bytes are read, or refused as `PROTOCOL_VIOLATION`; what was read is written and read as the same; a stream
 *           means the same wherever it is cut.
 */
import { isDeepStrictEqual } from 'node:util'
import { isCoordinationError } from '../../src/core/errors.ts'
import { BYTE_MUTATORS } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import { CLIENT_FORMS } from './client-forms.ts'
import type { Form } from './form.ts'
import { PEER_FORMS } from './peer-forms.ts'

/** All forms. Findings begin with the number of one: it is not to change. */
const FORMS: readonly Form[] = [...CLIENT_FORMS, ...PEER_FORMS]

/** Reads bytes; undefined if they were refused the one way they may be. */
function read(form: Form, bytes: Uint8Array): unknown {
  try {
    return form.read(bytes)
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return undefined
    throw error
  }
}

/** The target. */
export const codec: Target = {
  name: 'codec',
  reads: 'requests, replies, packets between servers, frames',
  limits: PURE_LIMITS,
  mutators: BYTE_MUTATORS,
  isPure: true,
  seeds: () => FORMS.flatMap(({ seeds }, number) => seeds().map((bytes) => Uint8Array.of(number, ...bytes))),
  run(input) {
    const form = FORMS[input[0] ?? 0]
    if (form === undefined) return
    const bytes = Uint8Array.from(input.subarray(1))
    const value = read(form, bytes)
    if (value === undefined || form.write === undefined) return
    const written = form.write(value)
    if (written === null) return
    const again = form.read(written)
    promise(isDeepStrictEqual(again, value), `${form.name}: what was read is not read again from what is written`)
  },
}
