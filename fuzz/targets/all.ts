/** All targets, in the order in which they run. */
import type { Target } from '../target.ts'
import { codec } from './codec.ts'
import { disk } from './disk.ts'
import { peers } from './peers.ts'
import { port } from './port.ts'
import { shell } from './shell.ts'
import { zooCfg } from './zoo-cfg.ts'

export const TARGETS: readonly Target[] = [codec, port, peers, disk, zooCfg, shell]
