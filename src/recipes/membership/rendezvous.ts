/**
 * Rendezvous hashing: who of several members an item belongs to, as each of them finds by itself.
 *
 * Model     each pair of a member and an item has a score that depends on nothing else; the highest score has the item.
 * Moves     a member that goes gives up its own items only, and one that comes takes only those that it will have. So
 *           no item moves between two members that stay.
 * Forever   members of different versions share out the same items: these numbers never change.
 * Source    Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous"; MurmurHash3 (finalizer); FNV-1a.
 */

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193
const GOLDEN_RATIO = 0x9e3779b9

/**
 * Makes a number of a name.
 *
 * @param name - of a member or an item
 * @returns 32 bits, unsigned
 */
export function hashOf(name: string): number {
  let hash = FNV_OFFSET
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, FNV_PRIME)
  return mixed(hash)
}

/**
 * How well a member and an item go together.
 *
 * @param member - {@link hashOf} its id
 * @param item - {@link hashOf} its name
 * @returns 32 bits, unsigned; the highest has the item
 */
export function scoreOf(member: number, item: number): number {
  return mixed(Math.imul(member, GOLDEN_RATIO) ^ item)
}

function mixed(value: number): number {
  let bits = value
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
