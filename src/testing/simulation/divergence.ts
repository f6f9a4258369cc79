/**
 * Lets logs diverge: whoever leads is cut off from the other servers when a write has got to it, and comes back when
 * another one has led for a while.
 */
import type { Blocks } from './blocks.ts'
import type { Fault } from './plan.ts'
import type { World, WorldEvent } from './world.ts'

type Diverge = Extract<Fault, { readonly kind: 'diverge' }>

/** The means of such faults. */
export interface DivergenceOptions {
  readonly world: World
  readonly blocks: Blocks
  /** The server that leads, if there is one. */
  leader(): number | undefined
  /** Does something in an event of the world. */
  atOnce(run: () => void): void
  /** It has happened. The function that is returned undoes it, unless the phase of faults was over before. */
  endless(fault: Diverge, undo: () => void): () => void
}

/** Carries them out, one at a time. */
export class Divergence {
  readonly #options: DivergenceOptions
  readonly #armed: Diverge[] = []
  #cutOff: { readonly server: number; readonly forMs: number; readonly end: () => void } | null = null

  constructor(options: DivergenceOptions) {
    this.#options = options
  }

  /** Lets it happen at the next write that gets to a leader. */
  arm(fault: Diverge): void {
    this.#armed.push(fault)
  }

  /** To be called for each write that gets to a server. */
  reached(server: number): void {
    const { world, blocks } = this.#options
    if (this.#cutOff !== null || this.#armed.length === 0 || this.#options.leader() !== server) return
    this.#options.atOnce(() => {
      const fault = this.#cutOff === null ? this.#armed.shift() : undefined
      if (fault === undefined) return
      const servers = world.servers.map(({ node }) => node.name)
      const end = this.#options.endless(fault, blocks.separate([world.server(server).node.name], servers))
      this.#cutOff = { server, forMs: fault.forMs, end }
    })
  }

  /** To be called for each event of the servers. */
  notice({ server, event }: WorldEvent): void {
    const cutOff = this.#cutOff
    const leads = event.type === 'serving' && event.role === 'LEADING'
    if (cutOff === null || !leads || server === cutOff.server) return
    this.#cutOff = null
    this.#options.world.kernel.after(cutOff.forMs, null, 'end of diverge', cutOff.end)
  }
}
