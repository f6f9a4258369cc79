/** A small semaphore for tests: the engine with a rule by which any change of the queue may admit a contender. */
import { sequenceOf } from '../../../src/core/path.ts'
import type { Client } from '../../../src/core/client.ts'
import type { AdmissionRule, ContenderNames } from '../../../src/recipes/engine/contender.ts'
import { ANY_CHANGE } from '../../../src/recipes/engine/contender.ts'
import { Contenders } from '../../../src/recipes/engine/contenders.ts'

const NAME = /^[0-9a-f-]{36}-permit-(-?\d{9,10})$/

const NAMES: ContenderNames = {
  kind: 'permit',
  newPrefix: () => ({ mark: `${crypto.randomUUID()}-`, rest: 'permit-' }),
  parse: (name) => {
    const sequence = sequenceOf(NAME.exec(name)?.[1] ?? '')
    return sequence === null ? null : { name, kind: 'permit', sequence }
  },
}

/** Makes a semaphore's client side. */
export function semaphore(client: Client, path: string, permits: number): Contenders {
  const rule: AdmissionRule = {
    admit: (_, own) => (own < permits ? { granted: true } : { granted: false, watch: ANY_CHANGE }),
    hasLine: true,
  }
  return new Contenders(client, path, NAMES, rule)
}
