/**
 * JSON Merge Patch: one value laid over another. Pure.
 *
 * Source    RFC 7396.
 */

/**
 * Lays a value over another. Objects are merged member by member, `null` removes a member, and anything else replaces
 * what is there.
 *
 * @returns a new value, or the very one that was laid over; neither is changed
 */
export function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const members = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else members.set(name, merged(members.get(name), value))
  }
  const result = {}
  // Not by assignment, for which `__proto__` is no name like others.
  for (const [name, value] of members) Object.defineProperty(result, name, { value, enumerable: true })
  return result
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}
