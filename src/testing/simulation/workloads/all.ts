/** Every workload, by name. */
import type { MakeWorkload } from '../workload.ts'
import { makeKeys } from './keys.ts'
import { makeRaw } from './raw.ts'

/** The workloads that a seed may draw. */
export const WORKLOADS: Readonly<Record<string, MakeWorkload>> = Object.freeze({ keys: makeKeys, raw: makeRaw })
