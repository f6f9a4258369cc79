/** A server that has fallen behind: it shows what was there when its client last asked, until that client syncs. */
import type { Backend, Session } from '../../src/core/backend.ts'

/** Sessions on a server that can fall behind. */
export interface BehindBackend {
  readonly backend: Backend
  /** From now on no list and no get shows what is newer than the last one of its path. */
  fallBehind(): void
}

/** Makes a server of this kind in front of another one. */
export function behindBackend(of: Backend): BehindBackend {
  const shown = new Map<string, Promise<unknown>>()
  let isBehind = false
  const front = (session: Session): Session => new Proxy(session, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        if (key === 'sync') isBehind = false
        if (key !== 'children' && key !== 'get') return Reflect.apply(value, target, args) as unknown
        const read = `${key} ${String(args[0])}`
        const old = isBehind ? shown.get(read) : undefined
        if (old !== undefined) return old
        const newest = Reflect.apply(value, target, args) as Promise<unknown>
        shown.set(read, newest)
        return newest
      }
    },
  })
  const open: Backend['open'] = async (options) => front(await of.open(options))
  return {
    backend: { ...of, open },
    fallBehind() {
      isBehind = true
    },
  }
}
