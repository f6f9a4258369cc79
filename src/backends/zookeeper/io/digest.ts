/** Who somebody is to ZooKeeper's scheme `digest`, as it stands in access control lists. */
import { createHash } from 'node:crypto'

/**
 * The id that proves itself by these credentials.
 *
 * @param credentials - `user:password`
 * @returns `user:base64(sha1(user:password))`
 */
export function digestOf(credentials: string): string {
  const user = credentials.slice(0, credentials.indexOf(':'))
  return `${user}:${createHash('sha1').update(credentials).digest('base64')}`
}
