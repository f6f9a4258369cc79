/**
 * The second life of a quickstart whose data are on disk: whatever ended the first one, `kill -9` included, the ledger,
 * the prices and the fencing tokens go on where they were.
 *
 * Story     three servers on the directories of before, and five new workers, do the jobs that are left.
 * Waits     the lock may be held by a session of the process that is gone: it ends when its time-out has passed.
 */
import { ConfigCenter, connect } from 'quorate'
import { readFile } from 'node:fs/promises'
import type { Check } from './checks.ts'
import { Ledger, parseLedger } from './ledger.ts'
import type { Entry } from './ledger.ts'
import { priceOf, pricingSchema, readPricing } from './pricing.ts'
import type { Invoice, Pricing } from './pricing.ts'
import type { Venue } from './venue.ts'
import { CONFIG_PATH, Worker } from './worker.ts'

const WORKERS = 5

/** All that a second life needs to know. */
export interface ResumedRun {
  readonly jobs: readonly Invoice[]
  /** The ledger's text as it was found, and as it is now. */
  readonly before: string
  readonly after: string
  /** The prices that a run begins with, and those that the servers have. */
  readonly first: Pricing
  readonly current: { readonly version: number; readonly pricing: Pricing }
}

/**
 * Does the jobs that are left.
 *
 * @param file - the ledger of before; it may be missing
 * @param prices - the file of the first prices
 */
export async function resumeStory(
  venue: Venue,
  { file, prices, jobs, signal }: {
    readonly file: string
    readonly prices: string
    readonly jobs: readonly Invoice[]
    readonly signal: AbortSignal
  },
): Promise<ResumedRun> {
  const before = await readFile(file, 'utf8').catch(() => '')
  const ledger = new Ledger(file)
  const first = await readPricing(prices)
  await using clerk = await connect(venue.backend, venue.options)
  const config = new ConfigCenter<Pricing>(clerk, CONFIG_PATH, { schema: pricingSchema })
  // The process may have ended before it published any.
  if ((await clerk.exists(CONFIG_PATH)) === null) await config.publish(first, { signal })
  await config.ready({ signal })
  const { current: pricing, version } = config
  if (pricing === undefined || version === null) throw new Error('there is no pricing')
  const workers = await Promise.all(Array.from({ length: WORKERS }, async (_, index) => {
    const client = await connect(venue.backend, venue.options)
    return Worker.start(`worker-${index + 1}`, client, { jobs, ledger, signal, note: () => undefined })
  }))
  await Promise.all(workers.map((worker) => worker.run()))
  return { jobs, before, after: await readFile(file, 'utf8'), first, current: { version, pricing } }
}

/** Checks a second life. */
export function checkResumed(run: ResumedRun): Check[] {
  const entries = parseLedger(run.after)
  return [keepsTheLedger(run), eachJobOnce(run, entries), tokensIncrease(run, entries), amountsAreRight(run, entries)]
}

function keepsTheLedger({ before, after }: ResumedRun): Check {
  const [kept, added] = [parseLedger(before).length, parseLedger(after).length - parseLedger(before).length]
  return {
    name: 'what was in the ledger is there as it was',
    ok: after.startsWith(before),
    found: `${kept} entries were there, ${added} are new`,
  }
}

function eachJobOnce({ jobs }: ResumedRun, entries: readonly Entry[]): Check {
  const done = new Set(entries.map(({ job }) => job))
  const missing = jobs.filter(({ id }) => !done.has(id)).length
  return {
    name: 'each job is in the ledger exactly once',
    ok: missing === 0 && done.size === entries.length && done.size === jobs.length,
    found: `${entries.length} entries for ${jobs.length} jobs; ${missing} missing`,
  }
}

function tokensIncrease({ before }: ResumedRun, entries: readonly Entry[]): Check {
  const tokens = entries.map(({ token }) => BigInt(token))
  const falls = tokens.filter((token, index) => index > 0 && token <= (tokens[index - 1] ?? 0n)).length
  const last = tokens[parseLedger(before).length - 1]
  return {
    name: 'fencing tokens go on above those of before',
    ok: falls === 0,
    found: `0x${last?.toString(16) ?? '0'} before, 0x${tokens.at(-1)?.toString(16)} now; ${falls} out of order`,
  }
}

function amountsAreRight({ jobs, first, current }: ResumedRun, entries: readonly Entry[]): Check {
  const wrong = entries.filter(({ job, version, total }) => {
    const invoice = jobs.find(({ id }) => id === job)
    const pricing = version === current.version ? current.pricing : first
    return invoice === undefined || priceOf(invoice, pricing).total !== total
  })
  return {
    name: 'the prices are those that were published before',
    ok: wrong.length === 0,
    found: `version ${current.version}, the ${current.pricing.label} prices; ${wrong.length} amounts are not by them`,
  }
}
