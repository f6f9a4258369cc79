/**
 * How the figures are taken: rounds of a fixed length after a warm-up, of which the median counts.
 *
 * A loop of our own and not a library's: what matters is how much is done while exactly N operations are in flight, and
 * the same loop has to time the floor (tens of nanoseconds), or the ratios would compare two ways of measuring.
 */

/** One measured number, as it is printed. */
export interface Figure {
  /** The name of the figure. */
  readonly figure: string
  /** Operations in flight, contenders, sessions: the size it was measured at. */
  readonly size: number
  readonly value: number
  readonly unit: 'ops/s' | 'ms' | 'MB' | 'bytes' | 'events/release' | '/hand-over' | '%' | 'x'
  /** The least and the greatest of the rounds, of which `value` is the median. */
  readonly min?: number
  readonly max?: number
  /** Latency of one operation in milliseconds, over all rounds. */
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Processor time of one operation in microseconds, all threads: what other work on the machine changes least. */
  readonly cpuUs?: number
  /** Requests of one operation that sessions were asked for, whatever the engine. */
  readonly requests?: number
  /** Requests of one operation that the server has counted. */
  readonly received?: number
  readonly rounds?: number
  /** The target of the design. */
  readonly target?: string
}

/** How long and how often to measure. */
export interface Effort {
  readonly warmUpMs: number
  readonly roundMs: number
  readonly rounds: number
  /** Rounds of what takes one event and not a length of time: a change of configuration, an election. */
  readonly events: number
  /** Hand-overs of a lock in one figure. */
  readonly handOvers: number
  /** Length of a round in which many contend for one lock. */
  readonly contentionMs: number
  /** How many contend for it. */
  readonly contenders: readonly number[]
}

/** The operation that is repeated; each of the lanes has one in flight. */
export type Task = (lane: number) => Promise<unknown>

/** How a task is measured. */
export interface TaskOptions {
  readonly effort: Effort
  readonly inFlight: number
  /** How many run between two looks at the clock, for tasks as quick as the clock; then there are no latencies. */
  readonly batch?: number
  /** Called before each round, untimed. */
  readonly beforeRound?: () => Promise<void>
}

/**
 * Measures how often a task is done in a second while a number of them are in flight.
 *
 * @param figure - its name
 * @param task - the operation
 * @param options - the effort, and how many are in flight
 */
export async function measureRate(figure: string, task: Task, options: TaskOptions): Promise<Figure> {
  const { effort, inFlight, batch = 1 } = options
  await options.beforeRound?.()
  await runRound(task, { inFlight, batch, durationMs: effort.warmUpMs })
  const rounds: Round[] = []
  for (let i = 0; i < effort.rounds; i++) {
    await options.beforeRound?.()
    rounds.push(await runRound(task, { inFlight, batch, durationMs: effort.roundMs }))
  }
  const { p50Ms, p99Ms, ...rate } = rateOf(rounds)
  return { figure, size: inFlight, ...rate, ...(batch === 1 ? { p50Ms, p99Ms } : {}) }
}

/** A figure of operations in a second, but for its name and size. */
type RateFigure = Required<Pick<Figure, 'unit' | 'value' | 'min' | 'max' | 'rounds' | 'p50Ms' | 'p99Ms' | 'cpuUs'>>

/** Summarises rounds: operations a second, their latency and their processor time. */
export function rateOf(rounds: readonly Round[]): RateFigure {
  const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0)
  const cpuUs = sum((round) => round.cpuUs) / sum((round) => round.done)
  const rates = rounds.map(({ done, durationMs }) => (done * 1_000) / durationMs)
  return { unit: 'ops/s', ...spread(rates), cpuUs, ...percentiles(rounds.flatMap(({ latencies }) => latencies)) }
}

/** Summarises rounds: their median, least and greatest. */
export function spread(rounds: readonly number[]): Pick<Required<Figure>, 'value' | 'min' | 'max' | 'rounds'> {
  return { value: quantile(rounds, 0.5), min: quantile(rounds, 0), max: quantile(rounds, 1), rounds: rounds.length }
}

/** Summarises latencies in milliseconds. */
export function percentiles(latencies: readonly number[]): Pick<Required<Figure>, 'p50Ms' | 'p99Ms'> {
  const sorted = Float64Array.from(latencies).sort()
  return { p50Ms: atRank(sorted, 0.5), p99Ms: atRank(sorted, 0.99) }
}

/** The value below which a share of them is; NaN if there is none. */
export function quantile(values: readonly number[], share: number): number {
  return atRank(Float64Array.from(values).sort(), share)
}

function atRank(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN
}

interface Load {
  readonly inFlight: number
  readonly batch: number
  readonly durationMs: number
}

/** The work of one round. */
export interface Round {
  readonly done: number
  readonly durationMs: number
  readonly cpuUs: number
  /** Of each operation, or of each batch of them, in milliseconds. */
  readonly latencies: readonly number[]
}

/** Keeps a number of tasks in flight for some time. */
export async function runRound(task: Task, { inFlight, batch, durationMs }: Load): Promise<Round> {
  let done = 0
  const latencies: number[] = []
  const before = process.cpuUsage()
  const startMs = performance.now()
  const endMs = startMs + durationMs
  const runLane = async (lane: number): Promise<void> => {
    let beforeMs = startMs
    while (beforeMs < endMs) {
      for (let i = 0; i < batch; i++) await task(lane)
      const afterMs = performance.now()
      latencies.push(afterMs - beforeMs)
      beforeMs = afterMs
      done += batch
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => runLane(lane)))
  const { user, system } = process.cpuUsage(before)
  return { done, durationMs: performance.now() - startMs, cpuUs: user + system, latencies }
}
