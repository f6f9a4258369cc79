import { afterAll, describe, it } from 'vitest'
import { backendSuite, modelBackend } from '../../src/testing/index.ts'
import type { ModelBackend, ModelOptions, Subject } from '../../src/testing/index.ts'
import { namespacedSubject } from './namespaced-subject.ts'

const ABILITIES = ['expire', 'disconnect', 'reconnect', 'reap', 'unreachable'] as const

function subjectOf(options: ModelOptions): () => Promise<Subject> {
  return async () => {
    const backend: ModelBackend = modelBackend(options)
    return { backend, control: { ...backend.control, unreachable }, close: async () => undefined }
  }
}

function unreachable(): ModelBackend {
  const backend = modelBackend()
  backend.control.refuseOpens(true)
  return backend
}

backendSuite({ describe, it, afterAll }, { name: 'model', create: subjectOf({}), abilities: ABILITIES })
backendSuite(
  { describe, it, afterAll },
  {
    name: 'model under a namespace',
    create: async () => namespacedSubject(await subjectOf({})(), '/apps/shop'),
    abilities: ABILITIES,
  },
)
backendSuite(
  { describe, it },
  { name: 'model with latency', create: subjectOf({ latencyMs: 1 }), abilities: ABILITIES },
)
backendSuite(
  { describe, it },
  {
    name: 'model without containers and time to live',
    create: subjectOf({ capabilities: { containers: false, ttlGranularityMs: null } }),
    abilities: ABILITIES,
  },
)
