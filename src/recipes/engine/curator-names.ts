/**
 * The names that Curator gives to contenders: `_c_<uuid>-<word>-<sequence>`, with another word for each of its recipes.
 *
 * Source    Curator ProtectedUtils.
 */
import { sequenceOf } from '../../core/path.ts'
import type { ContenderNames, ContenderPrefix } from './contender.ts'
import { newMark } from './marked-data.ts'

const MARKED = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-([a-z]+)-(-?\d{9,10})$/

/**
 * Makes the names of a recipe's contenders; to be made once for each recipe, since contenders that are read by one
 * function share a view.
 *
 * @param kind - the word, such as `lock` or `latch`
 * @param more - further properties of a new contender's node
 */
export function curatorNames(kind: string, more: Pick<ContenderPrefix, 'isWritable'> = {}): ContenderNames {
  return Object.freeze({
    kind,
    newPrefix: () => ({ mark: `_c_${newMark()}-`, rest: `${kind}-`, ...more }),
    parse: (name: string) => {
      const [, word, number = ''] = MARKED.exec(name) ?? []
      const sequence = sequenceOf(number)
      return word !== kind || sequence === null ? null : { name, kind, sequence }
    },
  })
}
