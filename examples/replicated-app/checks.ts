/** Was it all so? Checks what the processes say in the end against what their customers were told. */
import type { Order } from './messages.ts'

/** Processes that were killed, and what went on meanwhile. */
export interface Kill {
  readonly killed: readonly number[]
  /** Who had the lock for billing before, and who had it next. */
  readonly before: { readonly myid: number; readonly token: bigint }
  readonly after: { readonly myid: number; readonly token: bigint }
  /** Orders that were acknowledged after the kill and before those processes were started again. */
  readonly acknowledged: number
}

/** The answers of one process in the end. */
export interface View {
  readonly myid: number
  readonly orders: readonly Order[]
  readonly percent: number
}

/** The record of a run. */
export interface RunRecord {
  readonly processes: readonly number[]
  /** Amounts by id, of all orders that were sent. */
  readonly sent: ReadonlyMap<string, number>
  readonly acknowledged: ReadonlySet<string>
  readonly kills: readonly Kill[]
  /** The discounts that were published and acknowledged, in order. */
  readonly published: readonly number[]
  readonly views: readonly View[]
}

/** One thing that must be so. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly found: string
}

/** Checks a run. */
export function checkRun(run: RunRecord): Check[] {
  return [nothingIsLost, nothingIsMadeUp, allAreEqual, eachIsBilled, tokensIncrease, lockMoves, serviceGoesOn,
    allWereKilled, configurationIsThere].map((rule) => rule(run))
}

function nothingIsLost({ acknowledged, views }: RunRecord): Check {
  const missing = views.map(({ orders }) => {
    const ids = new Set(orders.map(({ id }) => id))
    return [...acknowledged].filter((id) => !ids.has(id)).length
  })
  return {
    name: 'every process has every order that was acknowledged',
    ok: acknowledged.size > 0 && missing.every((count) => count === 0),
    found: `${acknowledged.size} acknowledged; ${missing.join(', ')} missing`,
  }
}

function nothingIsMadeUp({ sent, views }: RunRecord): Check {
  const wrong = views.flatMap(({ orders }) => orders).filter(({ id, amount }) => sent.get(id) !== amount)
  return {
    name: 'every order has the amount that was sent',
    ok: wrong.length === 0,
    found: `${sent.size} sent; ${wrong.length} with another amount, or sent by nobody`,
  }
}

function allAreEqual({ views, processes }: RunRecord): Check {
  const kinds = new Set(views.map(({ orders }) => JSON.stringify(orders)))
  return {
    name: 'all processes say the same',
    ok: views.length === processes.length && kinds.size === 1,
    found: `${views.length} processes, ${kinds.size === 1 ? 'one answer' : `${kinds.size} answers`}`,
  }
}

function eachIsBilled({ views }: RunRecord): Check {
  const without = (views[0]?.orders ?? []).filter(({ bill }) => bill === null)
  return {
    name: 'every order is billed',
    ok: without.length === 0,
    found: `${(views[0]?.orders.length ?? 0) - without.length} billed, ${without.length} not`,
  }
}

function tokensIncrease({ views }: RunRecord): Check {
  const bills = (views[0]?.orders ?? []).flatMap(({ bill }) => (bill === null ? [] : [bill]))
  const tokens = bills.sort((a, b) => Number(BigInt(a.zxid) - BigInt(b.zxid))).map(({ token }) => BigInt(token))
  const falls = tokens.filter((token, index) => index > 0 && token < (tokens[index - 1] ?? 0n)).length
  const holders = new Set(tokens).size
  return {
    name: 'one process billed at a time: fencing tokens never fall along the bills',
    ok: falls === 0 && holders > 1,
    found: `${holders} holders of the lock one after the other, ${falls} falls`,
  }
}

function lockMoves({ kills }: RunRecord): Check {
  const ofHolder = kills.filter(({ killed, before }) => killed.includes(before.myid) && killed.length === 1)
  const moved = ofHolder.filter(({ before, after }) => after.myid !== before.myid && after.token > before.token)
  return {
    name: 'when its holder is killed, the lock moves to another process, with a greater token',
    ok: moved.length > 0 && moved.length === ofHolder.length,
    found: `${ofHolder.length} holders killed, ${moved.length} succeeded by another`,
  }
}

function serviceGoesOn({ kills }: RunRecord): Check {
  const ofOne = kills.filter(({ killed }) => killed.length === 1)
  const counts = ofOne.map(({ acknowledged }) => acknowledged)
  return {
    name: 'while one process is down the others take orders',
    ok: counts.length > 0 && counts.every((count) => count > 0),
    found: `${counts.join(', ')} acknowledged meanwhile`,
  }
}

function allWereKilled({ kills, processes }: RunRecord): Check {
  const alone = new Set(kills.filter(({ killed }) => killed.length === 1).flatMap(({ killed }) => killed))
  const together = kills.some(({ killed }) => killed.length === processes.length)
  return {
    name: 'each process was killed, and all at once',
    ok: processes.every((id) => alone.has(id)) && together,
    found: `${[...alone].join(', ')} alone, ${together ? 'all at once too' : 'never all'}`,
  }
}

function configurationIsThere({ published, views }: RunRecord): Check {
  const last = published.at(-1)
  const others = views.filter(({ percent }) => percent !== last)
  return {
    name: 'every process has the configuration that was published last',
    ok: last !== undefined && others.length === 0,
    found: `${last} %; ${others.length} have another`,
  }
}
