/** Drives a world from its first event to its end: the one way in which servers and faults are started in it. */
import type { Injector } from './inject.ts'
import type { PacketWatcher } from './network.ts'
import type { Plan } from './plan.ts'
import type { World, WorldEvent } from './world.ts'

/** Looks at everything that happens in a world, before a fault strikes at it. */
export interface WorldObserver {
  /** A packet is about to reach a server. */
  readonly packet?: PacketWatcher
  /** Something happened in the life of a server. */
  readonly notice?: (happened: WorldEvent) => void
}

/** The parts of a drive. */
export interface Drive {
  readonly world: World
  readonly injector: Injector
  /** The faults that strike. */
  readonly plan: Plan
  readonly observers?: readonly WorldObserver[]
  /** Called between the start of the servers and the first fault. */
  readonly begin?: () => void
}

/**
 * Takes the globals, starts the servers and the plan, and gives the globals back when the course has ended.
 *
 * @param course - runs the kernel for as long as it takes
 * @returns the result of the course
 * @throws whatever the course throws
 */
export async function driveWorld<T>(
  { world, injector, plan, observers = [], begin }: Drive,
  course: () => Promise<T>,
): Promise<T> {
  const { kernel, network, servers, watchers } = world
  const all: readonly WorldObserver[] = [...observers, injector]
  network.onPacket = (from, to, packet) => {
    for (const observer of all) observer.packet?.(from, to, packet)
  }
  watchers.push((happened) => {
    for (const observer of all) observer.notice?.(happened)
  })
  kernel.install()
  try {
    for (const { id } of servers) world.start(id)
    begin?.()
    injector.start(plan)
    return await course()
  } finally {
    kernel.uninstall()
  }
}
