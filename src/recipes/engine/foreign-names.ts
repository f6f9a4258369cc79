/**
 * Children of a lock's path that are no contenders of its recipe: contenders of another recipe, or something else that
 * somebody put there. Nobody here waits for them, and others may, so the application should know.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'

/** How many names a report shows. */
const NAMES_SHOWN_MAX = 3

/** The paths of which each client has reported. */
const reportedOf = new WeakMap<Client, Set<string>>()

/**
 * Reports foreign children to the client's `onError`, once per client and path.
 *
 * @param names - the children that are no contenders; at least one
 */
export function reportForeign(client: Client, path: string, names: readonly string[]): void {
  const reported = reportedOf.get(client) ?? new Set()
  reportedOf.set(client, reported)
  if (reported.has(path)) return
  reported.add(path)
  const shown = names.slice(0, NAMES_SHOWN_MAX).map((name) => JSON.stringify(name)).join(', ')
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${String(names.length - NAMES_SHOWN_MAX)} more` : ''
  const message = `${path} has children that are no contenders of this lock and do not keep it: ${shown}${more}. `
    + 'Give each lock, and each recipe, a path of its own'
  client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path }))
}
