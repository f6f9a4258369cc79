/** Every workload, by name. */
import type { MakeWorkload } from '../workload.ts'
import { makeKeys } from './keys.ts'

/** The workloads that a seed may draw. */
export const WORKLOADS: Readonly<Record<string, MakeWorkload>> = Object.freeze({ keys: makeKeys })
