/** The parameters in the query of a read. */
import { validatePath } from '../core/path.ts'
import type { ChildrenWindow } from './readings/tree.ts'
import { Refusal } from './refusal.ts'

const LIST_MAX = 500
const CHILDREN_DEFAULT = 200

/** The path of a node. */
export function pathOf(query: URLSearchParams): string {
  const path = query.get('path')
  if (path === null) throw new Refusal(400, 'USAGE', 'it needs path=, such as path=/locks')
  validatePath(path)
  return path
}

/** How many rows to answer with. */
export function limitOf(query: URLSearchParams, otherwise: number): number {
  const text = query.get('limit')
  if (text === null) return otherwise
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= LIST_MAX) return Number(text)
  throw new Refusal(400, 'USAGE', `limit must be a whole number from 1 to ${LIST_MAX}, got ${JSON.stringify(text)}`)
}

/** Which children to answer with. */
export function windowOf(query: URLSearchParams): ChildrenWindow {
  const limit = limitOf(query, CHILDREN_DEFAULT)
  const withStat = query.get('stat') === '1'
  return { prefix: query.get('prefix') ?? '', after: query.get('after'), limit, withStat }
}
