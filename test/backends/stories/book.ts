/** The book of what all clients say, and the problems that it shows of each part. */
import { isCoordinationError } from 'quorate'
import type { Client } from 'quorate'
import { eventually } from '../../../src/testing/conformance/expect.ts'
import type { Part, Said } from './part.ts'
import { PARTS } from './parts.ts'
import type { Line } from './troupe.ts'

export class Book {
  readonly #patienceMs: number
  readonly #lines = new Map<string, Line[]>(PARTS.map(({ title }) => [title, []]))
  readonly #problems = new Map<string, string[]>(PARTS.map(({ title }) => [title, []]))

  /** `patienceMs` is how long it waits for what has to come. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** Writes a line down. */
  readonly write = (line: Line): void => {
    this.#lines.get(line.part)?.push(line)
  }

  /** The problems of a part that were found. */
  problems({ title }: Part): readonly string[] {
    return this.#problems.get(title) ?? ['it is not played']
  }

  /** Waits until everyone who is present has ended a round of each part since an instant. */
  served(present: readonly number[], sinceMs: number, when: string): Promise<void> {
    return this.#settle(({ title }) => {
      const lines = this.#of(title)
      const isServed = (who: number): boolean => {
        return lines.some((line) => line.type === 'round' && line.who === who && line.atMs > sinceMs)
      }
      const idle = lines.filter(({ type, who }) => type === 'begins' && present.includes(who) && !isServed(who))
      return lines.length === 0 ? ['nobody has begun'] : idle.map(({ who }) => `${who} gets nowhere ${when}`)
    })
  }

  /** Waits until everyone who is present has ended its work, and nothing that was promised is missing. */
  concluded(present: readonly number[]): Promise<void> {
    return this.#settle((part) => {
      const lines = this.#of(part.title)
      const isIn = (type: Line['type'], who: number): boolean => {
        return lines.some((line) => line.type === type && line.who === who)
      }
      const working = present.filter((who) => isIn('owes', who) && !isIn('ends', who))
      const missing = part.missing?.({ said: this.#said(part), present }) ?? []
      return [...working.map((who) => `${who} does not come to its end`), ...missing]
    })
  }

  /** Judges what everyone has said, and waits until nothing is left behind. */
  async close(present: readonly number[], look: Client): Promise<void> {
    for (const part of PARTS) this.#note(part, part.broken({ said: this.#said(part), present }))
    const left = new Map<string, readonly string[]>()
    const leftOf = ({ paths, stays = [] }: Part): string[] => {
      return paths.flatMap((path) => left.get(path) ?? []).filter((path) => !stays.includes(path))
    }
    await this.#settle(leftOf, async () => {
      for (const path of PARTS.flatMap(({ paths }) => paths)) left.set(path, await pathsUnder(look, path))
    })
  }

  /** Waits until no part has a sentence, and notes those that are left in the end. */
  async #settle(sentencesOf: (part: Part) => string[], before = async (): Promise<void> => undefined): Promise<void> {
    const isSettled = async (): Promise<boolean> => {
      await before()
      return PARTS.every((part) => sentencesOf(part).length === 0)
    }
    // A part that waits has sentences, which its test shows.
    await eventually(isSettled, 'all parts are settled', this.#patienceMs).catch(() => undefined)
    for (const part of PARTS) this.#note(part, sentencesOf(part))
  }

  #note({ title }: Part, sentences: readonly string[]): void {
    this.#problems.get(title)?.push(...sentences)
  }

  #of(title: string): readonly Line[] {
    return this.#lines.get(title) ?? []
  }

  #said({ title }: Part): readonly Said<object>[] {
    return this.#of(title).flatMap(({ who, said }) => (said === undefined ? [] : [{ ...said, who }]))
  }
}

async function pathsUnder(client: Client, path: string): Promise<string[]> {
  try {
    await client.sync()
    return (await client.children(path)).names.map((name) => `${path}/${name}`)
  } catch (error) {
    // A container that became empty is gone.
    if (isCoordinationError(error, 'NO_NODE')) return []
    throw error
  }
}
