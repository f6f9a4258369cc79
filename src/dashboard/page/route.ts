/** Where the page stands, kept in its address, so that a link shows somebody else the same. */
import { useEffect, useState } from 'preact/hooks'
import type { View } from '../api.ts'

/** A view, and what is selected in it. */
export interface Route {
  /** Which view. */
  readonly view: View
  /** The node that is selected in it; null if none is. */
  readonly path: string | null
}

const VIEWS: ReadonlySet<string> = new Set<View>([
  ...(['overview', 'sessions', 'events', 'locks', 'leaders', 'members', 'config', 'services', 'tree'] as const),
])

/** The address of a view. */
export function href(view: View, path?: string): string {
  return `#/${view}${path === undefined ? '' : `?path=${encodeURIComponent(path)}`}`
}

/** Goes there. */
export function go(view: View, path?: string): void {
  location.hash = href(view, path)
}

/** Follows the address. */
export function useRoute(): Route {
  const [route, setRoute] = useState(routeOf)
  useEffect(() => {
    const follow = (): void => setRoute(routeOf())
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return route
}

function routeOf(): Route {
  const [, view = 'overview', query = ''] = /^#\/(\w+)(?:\?(.*))?$/.exec(location.hash) ?? []
  return { view: VIEWS.has(view) ? (view as View) : 'overview', path: new URLSearchParams(query).get('path') }
}
