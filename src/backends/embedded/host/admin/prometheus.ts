/**
 * A server's numbers in Prometheus' text format, under the reference's names, and a few of this package's own.
 *
 * Source    PrometheusMetricsProvider.java of ZooKeeper 3.8; Prometheus, "Exposition formats", text format 0.0.4.
 */
import { SHARES, metricsOf, summariesOf } from './metrics.ts'
import type { Metric, Summary } from './metrics.ts'
import { isShown, monitored } from './server-view.ts'
import type { ServerView } from './server-view.ts'

/** The media type of the text. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const MICROSECONDS = 1_000_000

/** The text. While the server does not serve, not even reads, it has that fact and the process alone. */
export function* prometheusLines(view: ServerView): Generator<string> {
  const host = view.host()
  const status = host?.status() ?? null
  yield* linesOf(own('quorate_serving', status?.serving === true ? 1 : 0, 'Whether clients are served: 1 or 0'))
  yield* linesOf(own('quorate_epoch', status?.epoch ?? null, 'Epoch of the leader that it was synchronised with last'))
  for (const metric of processMetrics()) yield* linesOf(metric)
  if (host !== null && status !== null && isShown(status)) {
    const numbers = monitored(view, host)
    for (const metric of metricsOf(numbers)) yield* linesOf(metric)
    for (const summary of summariesOf(numbers)) yield summaryLines(summary)
  }
}

function processMetrics(): readonly Metric[] {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const seconds = (user + system) / MICROSECONDS
  return [
    { ...own('process_cpu_seconds_total', seconds, 'Processor time in seconds'), kind: 'counter' },
    own('process_resident_memory_bytes', rss, 'Memory of the process in bytes'),
    own('nodejs_heap_size_used_bytes', heapUsed, 'Memory of its objects in bytes'),
  ]
}

function own(name: string, value: number | null, help: string): Metric {
  return { name, kind: 'gauge', help, value, isDecimal: false }
}

/** No quantile of nothing: the format's word for that is NaN, and a sum of 0 says it too. */
function summaryLines({ name, help, summary }: Summary): string {
  const { count, sum } = summary.times
  const values = count === 0 ? [] : summary.percentiles(SHARES)
  const quantiles = values.map((value, index) => `${name}{quantile="${SHARES[index] ?? 0}"} ${value}\n`)
  const head = `# HELP ${name} ${help}\n# TYPE ${name} summary\n`
  return `${head}${quantiles.join('')}${name}_sum ${sum}\n${name}_count ${count}\n`
}

function* linesOf({ name, kind, help, value }: Metric): Generator<string> {
  if (value === null) return
  yield `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name} ${value}\n`
}
