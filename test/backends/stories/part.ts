/**
 * The shape of a part in the story of three clients whose engine fails: the work that each client does with a recipe
 * again and again, what it says of it, and how that is judged. The same parts are played by three clients in the
 * process of a test, and by three processes.
 */
import { isCoordinationError } from 'quorate'
import type { Client } from 'quorate'

/** A client's place in a part; `E` is what is said of it, as JSON can hold it. */
export interface Seat<E> {
  readonly client: Client
  /** Its number, from 0. */
  readonly who: number
  /** Whether it does what only one does: it writes what the others follow. */
  readonly isLead: boolean
  /** Aborted when the work comes to its end, for a wait that would have none. */
  readonly ending: AbortSignal
  tell(said: E): void
}

/** The work of one client with one recipe. */
export interface Party {
  /** Works once. It is called again and again; an error of the world ends a round, which does not count then. */
  round?(): Promise<void>
  /**
   * Ends the work: it is called until it succeeds, when the fault is over and no round goes on. Without it the rounds
   * go on until the client is closed in the middle of one.
   */
  last?(): Promise<void>
}

/** A thing that was said, and by whom. */
export type Said<E> = E & { readonly who: number }

/** All that was said of a part. */
export interface Heard<E> {
  /** That of one client in the order in which it was said; that of several processes in the order in which it came. */
  readonly said: readonly Said<E>[]
  /** Who is there at the end. */
  readonly present: readonly number[]
}

/** A recipe's part. */
export interface Part<E extends object = object> {
  /** The title of its test: the recipe, and its promise. */
  readonly title: string
  /** Under which nothing may be left when everyone is gone. */
  readonly paths: readonly string[]
  /** The nodes below these paths that may be left all the same. */
  readonly stays?: readonly string[]
  /** Makes what has to be there before anyone begins. */
  prepare?(client: Client): Promise<void>
  /** Takes a client's place. */
  open(seat: Seat<E>): Party
  /** A sentence for each promise that was broken. */
  broken(heard: Heard<E>): string[]
  /** A sentence for each thing that has still to come once everyone has ended its work. */
  missing?(heard: Heard<E>): string[]
}

/** How many clients there are. */
export const CLIENTS = 3

/** Makes a part; its title stands first, where the test of docs/guarantees.md finds it. */
export function part<E extends object>(title: string, rest: Omit<Part<E>, 'title'>): Part {
  return { title, ...rest }
}

/** Lets others go on for some milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Whether something was done; what the world may do to it is no error. */
export async function tolerated(doIt: () => Promise<unknown>): Promise<boolean> {
  try {
    await doIt()
    return true
  } catch (error) {
    if (!isCoordinationError(error)) throw error
    return false
  }
}

/** Sentences about those who went back from a greater number to a smaller one. */
export function wentBack(values: readonly number[], what: string): string[] {
  return values.flatMap((value, index) => {
    const before = values[index - 1] ?? value
    return value < before ? [`${what} went from ${before} back to ${value}`] : []
  })
}

/** Sentences about what stands twice in a list. */
export function twice(values: readonly (string | number)[], what: string): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))].map((value) => {
    return `${what} ${value} comes twice`
  })
}
