/** Three clients of one process in all parts. */
import type { Client } from 'quorate'
import { Book } from './book.ts'
import { now } from './holds.ts'
import { prepare, Troupe } from './troupe.ts'

export class Cast {
  readonly #book: Book
  readonly #troupes: readonly Troupe[]
  readonly #present: readonly number[]

  private constructor(clients: readonly Client[], book: Book) {
    this.#book = book
    this.#troupes = clients.map((client, who) => new Troupe(client, { who, lead: 0 }, book.write))
    this.#present = clients.map((_, who) => who)
  }

  /** Has the clients begin to play; the first one leads. */
  static async begin(clients: readonly Client[], patienceMs: number): Promise<Cast> {
    const [first] = clients
    if (first === undefined) throw new TypeError('there is nobody to play')
    await prepare(first)
    return new Cast(clients, new Book(patienceMs))
  }

  /** Waits until everyone has ended a round of each part from here. */
  served(when: string): Promise<void> {
    return this.#book.served(this.#present, now(), when)
  }

  /** Ends the work that comes to an end, and waits for what it has promised. */
  async conclude(): Promise<void> {
    for (const troupe of this.#troupes) troupe.conclude()
    await this.#book.concluded(this.#present)
  }

  /** Resolves when the clients are closed and nothing goes on. */
  async ended(): Promise<void> {
    for (const troupe of this.#troupes) await troupe.ended()
  }

  /** Looks at what is left, by a client that took no part, and returns the book. */
  async close(look: Client): Promise<Book> {
    await this.#book.close(this.#present, look)
    return this.#book
  }
}
