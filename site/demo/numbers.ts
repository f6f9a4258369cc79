/**
 * Epochs and tokens, as the page shows them. The first epoch of an ensemble in memory is as great as the time, so that
 * each life of it is later than those before; people read them counted from the first one of this page.
 */

const COUNTER_BITS = 32n

/** Shows epochs and tokens relative to the first epoch that it was asked for. */
export class Numbers {
  #first: number | null = null

  /** An epoch, such as `2`; a dash for none. */
  epoch(epoch: number): string {
    if (epoch === 0) return '–'
    this.#first ??= epoch
    return String(epoch - this.#first + 1)
  }

  /** A token as epoch and counter, such as `2.17`; a dash for none. */
  token(token: bigint | null): string {
    if (token === null) return '–'
    return `${this.epoch(Number(token >> COUNTER_BITS))}.${BigInt.asUintN(Number(COUNTER_BITS), token)}`
  }
}
