/** Numbers of requests: they grow over reconnects. */

const XID_MAX = 2 ** 31 - 1

/** The xids of one session. */
export class Xids {
  #last: number

  /** @param last - the one before the first */
  constructor(last = 0) {
    this.#last = last
  }

  /** The next one; after the largest int32 they start again from 1, as negative ones mean other things. */
  next(): number {
    this.#last = this.#last === XID_MAX ? 1 : this.#last + 1
    return this.#last
  }
}
