import { modelBackend } from '../../src/testing/index.ts'
import { recipeSuites } from './recipe-suites.ts'

const backend = modelBackend()

recipeSuites(backend, backend.control)
