/**
 * A roll: the children of one node as they were at every moment, and those who are told of the whole list.
 *
 * Moments   a reader is told of lists that were there at one moment, and moments never go back; the difference that it
 *           is told is that to the list before.
 */
import { joinPath, parentOf } from '../../src/core/path.ts'
import type { Ledger } from '../ledger.ts'
import type { ModelChange, ModelNode } from '../model.ts'

/** One who is told of the lists. */
export interface RollReader {
  readonly name: string
  /** The moment of the last list that it was told, as an index into the states of the roll; -1 before the first. */
  moment: number
  /** Each child as it was in that list, by name. */
  members: ReadonlyMap<string, string>
}

/** The names of those that a reader was told of as come, gone and changed. */
export interface RollDifference {
  readonly come: readonly string[]
  readonly gone: readonly string[]
  readonly changed: readonly string[]
}

/** The words of a recipe for the three parts of a difference. */
export type RollWords = Readonly<Record<keyof RollDifference, string>>

/** The parts that a roll is made from. */
export interface RollOptions {
  readonly ledger: Ledger
  /** The node whose children they are. */
  readonly path: string
  readonly words: RollWords
  /** All that readers can see of a child. */
  readonly looksOf: (name: string, node: ModelNode) => string
}

/** The states of one roll. */
export class Roll {
  readonly #options: RollOptions
  /** How many states there were; at the first one nobody was there. */
  #moments = 1
  /** By what a state looks like, the moments at which it was there. */
  readonly #momentsOf = new Map<string, number[]>([['', [0]]])
  #latest = ''

  /** Begins to look at the children of a node. */
  constructor(options: RollOptions) {
    this.#options = options
  }

  /** The state that is there now; empty if nobody is. */
  get latest(): string {
    return this.#latest
  }

  /** The changes of a transaction that are of this roll. */
  of(changes: readonly ModelChange[]): readonly ModelChange[] {
    return changes.filter(({ path }) => path !== '/' && parentOf(path) === this.#options.path)
  }

  /** To be told of each transaction that changes the roll. */
  enter(zxid: bigint): void {
    const { ledger: { model }, path, looksOf } = this.#options
    this.#latest = stateOf(model.names(path, zxid).map((name) => {
      const node = model.node(joinPath(path, name), zxid)
      return node === null ? '' : looksOf(name, node)
    }))
    const moments = this.#momentsOf.get(this.#latest)
    if (moments === undefined) this.#momentsOf.set(this.#latest, [this.#moments])
    else moments.push(this.#moments)
    this.#moments += 1
  }

  /**
   * To be told of each list that a reader is told.
   *
   * @param members - each child as it looks, by name
   * @returns what is wrong; null if nothing is
   */
  told(reader: RollReader, members: ReadonlyMap<string, string>, difference: RollDifference): string | null {
    const { name } = reader
    const moments = this.#momentsOf.get(stateOf([...members.values()]))
    if (moments === undefined) return `${name} was told of a list that never was: ${[...members.values()].join(', ')}`
    const moment = moments.find((candidate) => candidate >= reader.moment)
    if (moment === undefined) return `${name} was told of moment ${moments.at(-1)} behind ${reader.moment}`
    const wrong = this.#wrongDifference(reader, members, difference)
    if (wrong !== null) return wrong
    reader.moment = moment
    reader.members = members
    return null
  }

  /** Whether a reader was told of the list that is there now. */
  isUpToDate({ moment, members }: RollReader): boolean {
    return moment >= 0 && stateOf([...members.values()]) === this.#latest
  }

  #wrongDifference(reader: RollReader, after: ReadonlyMap<string, string>, told: RollDifference): string | null {
    const before = reader.members
    const expected: RollDifference = {
      come: [...after.keys()].filter((id) => !before.has(id)),
      gone: [...before.keys()].filter((id) => !after.has(id)),
      changed: [...after].filter(([id, text]) => before.has(id) && before.get(id) !== text).map(([id]) => id),
    }
    for (const kind of ['come', 'gone', 'changed'] as const) {
      // Whoever cannot know whether its data were stored stores them again: a change without news.
      const isNews = (id: string): boolean => kind !== 'changed' || before.get(id) !== after.get(id)
      const [was, should] = [told[kind].filter(isNews), expected[kind]].map((ids) => [...ids].sort().join(' '))
      const word = this.#options.words[kind]
      if (was !== should) return `${reader.name} was told that ${was} ${word}, it was ${should}`
    }
    return null
  }
}

function stateOf(looks: readonly string[]): string {
  return [...looks].sort().join('\n')
}
