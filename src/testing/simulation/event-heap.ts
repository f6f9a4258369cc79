/** The events that are to come, earliest first; those of one instant in the order in which they were added. */

/** One event. */
export interface HeapEvent {
  readonly atMs: number
  readonly order: number
}

/** A binary heap. */
export class EventHeap<E extends HeapEvent> {
  readonly #events: E[] = []

  /** How many events are to come. */
  get size(): number {
    return this.#events.length
  }

  /** The next event, which stays in the heap. */
  peek(): E | undefined {
    return this.#events[0]
  }

  /** Adds an event. */
  push(event: E): void {
    const events = this.#events
    let index = events.length
    events.push(event)
    while (index > 0) {
      const parent = (index - 1) >>> 1
      const above = events[parent] as E
      if (isBefore(above, event)) break
      events[index] = above
      index = parent
    }
    events[index] = event
  }

  /** Takes the next event out. */
  pop(): E | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (first === undefined || last === undefined || events.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = events[child]
      if (left === undefined) break
      const right = events[child + 1]
      if (right !== undefined && isBefore(right, left)) child += 1
      const smaller = events[child] as E
      if (isBefore(last, smaller)) break
      events[index] = smaller
      index = child
    }
    events[index] = last
    return first
  }
}

function isBefore(a: HeapEvent, b: HeapEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
