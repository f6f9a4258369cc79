/** The account that both clients write to: a resource outside the ensemble, which can look at fencing tokens. */

/** The account, as the page shows it. */
export interface AccountView {
  readonly balance: number
  /** The greatest token that has written; null before the first. */
  readonly lastToken: bigint | null
  readonly written: number
  readonly refused: number
  /** Writes of others that a late write has undone. */
  readonly lost: number
}

/** The fate of a write. */
export type Verdict =
  | { readonly type: 'written' }
  /** It came under an older token than the last. */
  | { readonly type: 'refused'; readonly lastToken: bigint }
  /** It came under an older token, nobody looked, and so many writes of others are gone. */
  | { readonly type: 'accident'; readonly undone: number }

/** An account. */
export class Account {
  checksTokens = true
  #view: AccountView = { balance: 0, lastToken: null, written: 0, refused: 0, lost: 0 }

  get view(): AccountView {
    return this.#view
  }

  /** Sets the balance, as a client asks that has read it before and holds a lock under this token. */
  write(token: bigint, balance: number): Verdict {
    const { lastToken } = this.#view
    const isLate = lastToken !== null && token < lastToken
    if (isLate && this.checksTokens) {
      this.#view = { ...this.#view, refused: this.#view.refused + 1 }
      return { type: 'refused', lastToken }
    }
    // Each write adds one: whatever is missing afterwards was written by others.
    const undone = Math.max(0, this.#view.balance + 1 - balance)
    this.#view = {
      ...this.#view,
      balance,
      lastToken: isLate ? lastToken : token,
      written: this.#view.written + 1,
      lost: this.#view.lost + undone,
    }
    return undone > 0 ? { type: 'accident', undone } : { type: 'written' }
  }
}
