import { afterAll, describe, it } from 'vitest'
import { backendSuite } from '../../../src/testing/index.ts'
import type { Subject } from '../../../src/testing/index.ts'
import { namespacedSubject } from '../../testing/namespaced-subject.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'
import { controlOf, subjectOf, suiteEnsemble } from './subject.ts'

for (const servers of [1, 3]) {
  const create = (): Promise<Subject> => Promise.resolve(subjectOf(suiteEnsemble(servers)))
  const name = `embedded with ${servers} ${servers === 1 ? 'server' : 'servers'}`
  backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES })
}

backendSuite(
  { describe, it, afterAll },
  {
    name: 'embedded under a namespace',
    create: () => namespacedSubject(subjectOf(suiteEnsemble(1)), '/apps/shop'),
    abilities: ABILITIES,
  },
)

describe('recipes on three embedded servers', () => {
  const ensemble = suiteEnsemble(3)
  afterAll(() => ensemble.close())
  recipeSuites(ensemble, controlOf(ensemble))
})
