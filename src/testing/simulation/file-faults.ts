/** The faults that strike at the files of servers; servers whose disks have none are spared. */
import { FileDisk } from './file-disk.ts'
import { idOf } from './plan.ts'
import type { Fault } from './plan.ts'
import type { World, WorldEvent } from './world.ts'

/** A fault of files. */
export type FileFault = Extract<Fault, { readonly kind: 'crash-at-call' | 'call-error' | 'disk-full' | 'bit-rot' }>

type Strike = Extract<Fault, { readonly kind: 'strike' }>

type Of<K extends FileFault['kind']> = Extract<FileFault, { readonly kind: K }>

/** The means of such faults. */
export interface FileFaultsOptions {
  readonly world: World
  /** Does something in an event of the world. */
  atOnce(run: () => void): void
  /** Crashes a server and starts it again; false if it is down already. */
  crash(id: number, downMs: number): boolean
  happened(fault: Fault): void
  /** It has happened, and is undone when its time is over. */
  lasts(fault: Of<'disk-full'>, undo: () => void): void
  /** Whether a server may lose its memory. */
  mayForget(id: number): boolean
  /** A server may have lost its memory. */
  forgets(id: number): void
}

/** Carries them out. */
export class FileFaults {
  readonly #options: FileFaultsOptions
  /** How long servers stay down that the next disk error ends. */
  readonly #downMs = new Map<number, number>()
  /** Servers that run while their files rot: what they remember they do not know. */
  readonly #rotten = new Set<number>()

  constructor(options: FileFaultsOptions) {
    this.#options = options
  }

  /** Whether a server runs on files that rotted since it has read them. */
  isRotten(id: number): boolean {
    return this.#rotten.has(id)
  }

  /** How long a server stays down that a failed call has ended; undefined if none has. */
  downMs(id: number): number | undefined {
    const downMs = this.#downMs.get(id)
    this.#downMs.delete(id)
    return downMs
  }

  /** To be called for each event of the servers. */
  notice({ server, event }: WorldEvent): void {
    if (event.type === 'started') this.#rotten.delete(server)
  }

  /** Carries one out. */
  inject(fault: FileFault): void {
    switch (fault.kind) {
      case 'crash-at-call': return this.#crashAtCall(fault, idOf(fault.server), fault.nth)
      case 'call-error': return this.#callError(fault)
      case 'disk-full': return this.#diskFull(fault)
      case 'bit-rot': return this.#bitRot(fault)
    }
  }

  /** Lets a server that was struck crash in its files, in the middle of what it writes; false if it has none. */
  crashAtStruckCall(fault: Strike, id: number): boolean {
    if (fault.call === undefined || this.#disk(id) === null) return false
    this.#crashAtCall(fault, id, fault.call)
    return true
  }

  #crashAtCall(fault: Of<'crash-at-call'> | Strike, id: number, nth: number): void {
    this.#disk(id)?.crashAtCall(nth, () => {
      this.#options.atOnce(() => {
        this.#options.crash(id, fault.downMs)
        this.#options.happened(fault)
      })
    })
  }

  #callError(fault: Of<'call-error'>): void {
    const id = idOf(fault.server)
    this.#disk(id)?.failCall(fault.nth, fault.done, () => {
      this.#downMs.set(id, fault.downMs)
      this.#options.happened(fault)
    })
  }

  #diskFull(fault: Of<'disk-full'>): void {
    const disks = fault.servers.flatMap((server) => this.#disk(idOf(server)) ?? [])
    if (disks.length === 0) return
    for (const disk of disks) disk.fill(fault.chance)
    this.#options.lasts(fault, () => {
      for (const disk of disks) disk.fill(0)
    })
  }

  #bitRot(fault: Of<'bit-rot'>): void {
    const id = idOf(fault.server)
    const disk = this.#disk(id)
    const options = this.#options
    if (disk === null || !options.mayForget(id) || options.world.server(id).host() === null) return
    if (!fault.isRunning) options.crash(id, fault.downMs)
    if (disk.rot(fault) === null) return
    if (fault.isRunning) this.#rotten.add(id)
    options.forgets(id)
    options.happened(fault)
  }

  #disk(id: number): FileDisk | null {
    const { disk } = this.#options.world.server(id)
    return disk instanceof FileDisk ? disk : null
  }
}
