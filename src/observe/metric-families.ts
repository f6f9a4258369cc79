/**
 * Metrics in Prometheus' text format: counters, gauges and histograms, each a family of series that their labels tell
 * apart.
 *
 * Source    Prometheus, "Exposition formats", text format 0.0.4; "Metric and label naming".
 */

/** The labels of a series, by name. */
export type Labels = Readonly<Record<string, string>>

/** A family, which can be printed. */
export interface Family {
  /** Its lines, with those that say what it is. */
  lines(): Iterable<string>
}

/** Numbers that go up and down, or (as a counter) only up. */
export class Numbers implements Family {
  readonly #head: string
  readonly #name: string
  readonly #series = new Map<string, number>()

  constructor(name: string, type: 'counter' | 'gauge', help: string) {
    this.#name = name
    this.#head = headOf(name, type, help)
  }

  /** Adds to a series, which begins at 0. */
  add(labels: Labels, difference = 1): void {
    const key = labelText(labels)
    this.#series.set(key, (this.#series.get(key) ?? 0) + difference)
  }

  * lines(): Iterable<string> {
    yield this.#head
    for (const [labels, value] of this.#series) yield `${this.#name}${braced(labels)} ${value}\n`
  }
}

/** How many seconds things took, in buckets. */
export class Durations implements Family {
  readonly #head: string
  readonly #name: string
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>()

  /**
   * @param bounds - greatest number of seconds of each bucket, rising; one without a bound comes after them
   */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name
    this.#bounds = bounds
    this.#head = headOf(name, 'histogram', help)
  }

  /** Counts something that took so many seconds. */
  observe(labels: Labels, seconds: number): void {
    const key = labelText(labels)
    const series = this.#series.get(key) ?? { counts: this.#bounds.map(() => 0), sum: 0, count: 0 }
    this.#series.set(key, series)
    const bucket = this.#bounds.findIndex((bound) => seconds <= bound)
    if (bucket !== -1) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    series.sum += seconds
    series.count += 1
  }

  * lines(): Iterable<string> {
    yield this.#head
    for (const [labels, { counts, sum, count }] of this.#series) {
      let below = 0
      for (const [index, bound] of this.#bounds.entries()) {
        below += counts[index] ?? 0
        yield `${this.#name}_bucket{${labels},le="${bound}"} ${below}\n`
      }
      yield `${this.#name}_bucket{${labels},le="+Inf"} ${count}\n`
      yield `${this.#name}_sum${braced(labels)} ${sum}\n${this.#name}_count${braced(labels)} ${count}\n`
    }
  }
}

function headOf(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function labelText(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`).join()
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
