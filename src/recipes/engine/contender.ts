/**
 * A contender as the list of its parent's children shows it, how a recipe names its contenders, and the rule by which a
 * recipe admits them. Each recipe gives the engine its own names and rule.
 */

/** A contender as the list of names shows it. */
export interface Contender {
  /** Name of its node. */
  readonly name: string
  /** The word in the name that says what it asks for, such as `lock`, `read` or `write`. */
  readonly kind: string
  /** Its place in the order; to be compared by `compareSequence`. */
  readonly sequence: number
  /** Whether another may have come in its place, with the same number, before it went. False if absent. */
  readonly leavesHeir?: boolean
}

/** The beginning of a new contender's name; its sequence number follows. */
export interface ContenderPrefix {
  /** The part that no other name has. */
  readonly mark: string
  /** The part that says what it asks for. */
  readonly rest: string
  /**
   * Whether others may write its data. By default only its session may, where the backend can see to that; the checked
   * deletion of such a node can begin with a write of it, which uses up the watch of whoever waits for its end. Those
   * of Curator's latches do not look again.
   */
  readonly isWritable?: true
}

/** The names of a recipe's contenders. */
export interface ContenderNames {
  /** The word of its contenders, as `parse` reads it. */
  readonly kind: string
  /** Makes the beginning of a new contender's name. */
  readonly newPrefix: () => ContenderPrefix
  /**
   * Reads the name of a child; null if no contender of this recipe has such a name. Recipes that can share a path have
   * the same function.
   */
  readonly parse: (name: string) => Contender | null
}

/** Stands for any change of the queue: somebody came or went. */
export const ANY_CHANGE = Symbol('any change of the queue')

/** The verdict of a predicate on a contender. */
export type Admission =
  | { readonly granted: true }
  /**
   * Not yet. `watch` names the one other whose end could change that, or says that any change of the queue could. Those
   * who wait for any change are admitted in their order, since only the first of them looks at changes.
   */
  | { readonly granted: false; readonly watch: string | typeof ANY_CHANGE }

/**
 * Decides whether a contender is admitted. Pure.
 *
 * @param queue - all contenders, first come first
 * @param own - the index of the one to decide on
 */
export type Admit = (queue: readonly Contender[], own: number) => Admission

/** The rule of a recipe. */
export interface AdmissionRule {
  /** Decides who is admitted; pure. */
  readonly admit: Admit
  /** Whether a contender may have to wait for any change of the queue. */
  readonly hasLine: boolean
}
