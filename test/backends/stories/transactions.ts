/** The parts of transactions, and of what is done once. */
import { isCoordinationError, onceOnly, transact } from 'quorate'
import type { TransactionView } from 'quorate'
import { CLIENTS, part, pause } from './part.ts'

const ACCOUNTS = '/story/accounts'
const START = 1_000
const EMPTY: Account = { sum: START, moves: 0 }
/** Everyone reads all accounts: those that follow each other too closely would overtake each other all the time. */
const APART_MS = 100

/** An account, and how often its client has moved money from it to the next one. */
interface Account {
  readonly sum: number
  readonly moves: number
}

interface MoveSaid {
  /** `moved`: money was moved, or nobody knows. `counted`: what was there in the end. */
  readonly type: 'moved' | 'counted'
  readonly isSure: boolean
  /** All accounts, before the move; none if it is not known. */
  readonly accounts: readonly Account[]
}

/** Everyone moves money from its own account to the next one. */
export const TRANSACT = part<MoveSaid>('transact makes all of its writes or none, on reads that are true together', {
  paths: [],
  prepare: (client) => client.makePath(ACCOUNTS, { mode: 'persistent' }),
  open: ({ client, who, tell }) => {
    const move = (): Promise<readonly Account[]> => transact(client, async (tx) => {
      const accounts = await read(tx)
      const next = (who + 1) % CLIENTS
      const [from = EMPTY, to = EMPTY] = [accounts[who], accounts[next]]
      await write(tx, who, { sum: from.sum - 1, moves: from.moves + 1 })
      await write(tx, next, { ...to, sum: to.sum + 1 })
      return accounts
    })
    return {
      round: async () => {
        await pause(APART_MS)
        try {
          tell({ type: 'moved', isSure: true, accounts: await move() })
        } catch (error) {
          const isUnsure = isCoordinationError(error) && error.outcome === 'unknown'
          if (isUnsure) tell({ type: 'moved', isSure: false, accounts: [] })
          throw error
        }
      },
      last: async () => tell({ type: 'counted', isSure: true, accounts: await transact(client, read) }),
    }
  },
  broken: ({ said, present }) => [
    ...said.flatMap(({ accounts }) => accounts.flatMap(({ sum, moves }, index) => {
      const due = START - moves + (accounts.at(index - 1)?.moves ?? 0)
      return sum === due ? [] : [`account ${index} has ${sum}, and by the moves it has ${due}`]
    })),
    ...present.flatMap((who) => {
      const own = said.filter((one) => one.who === who)
      const sure = own.filter(({ type, isSure }) => type === 'moved' && isSure).length
      const unsure = own.filter(({ isSure }) => !isSure).length
      const moves = own.findLast(({ type }) => type === 'counted')?.accounts[who]?.moves
      const isCounted = moves === undefined || (moves >= sure && moves <= sure + unsure)
      return isCounted ? [] : [`${who} was told of ${sure} moves, and of ${unsure} perhaps; there are ${moves}`]
    }),
  ],
  missing: ({ said, present }) => {
    const isCounted = (who: number): boolean => said.some((one) => one.type === 'counted' && one.who === who)
    return present.filter((who) => !isCounted(who)).map((who) => `${who} has not counted its moves`)
  },
})

function read(tx: TransactionView): Promise<Account[]> {
  return Promise.all(Array.from({ length: CLIENTS }, async (_, who) => {
    const data = await tx.get(`${ACCOUNTS}/${who}`)
    return data === null ? EMPTY : JSON.parse(new TextDecoder().decode(data)) as Account
  }))
}

async function write(tx: TransactionView, who: number, account: Account): Promise<void> {
  await tx.put(`${ACCOUNTS}/${who}`, JSON.stringify(account))
}

/** For so long everyone asks for the same work. */
const SLOT_MS = 150
const WORK_MS = 5

interface OnceSaid {
  readonly type: 'made' | 'given'
  readonly key: number
  readonly value: string
}

/** Everyone asks for the work of the moment. */
export const ONCE_ONLY = part<OnceSaid>('onceOnly gives everyone one result, of work that was done', {
  paths: [],
  open: ({ client, who, tell }) => {
    let works = 0
    return {
      round: async () => {
        const key = Math.floor(Date.now() / SLOT_MS)
        const value = await onceOnly(client, `/story/once/${key}`, async () => {
          works += 1
          const made = `${who}-${works}`
          tell({ type: 'made', key, value: made })
          await pause(WORK_MS)
          return made
        })
        tell({ type: 'given', key, value })
      },
    }
  },
  broken: ({ said }) => {
    const given = said.filter(({ type }) => type === 'given')
    return given.flatMap(({ key, value, who }) => {
      const first = given.find((one) => one.key === key)?.value
      const isMade = said.some((one) => one.type === 'made' && one.key === key && one.value === value)
      return [
        ...(value === first ? [] : [`${who} was given ${value} for ${key}, and another ${first}`]),
        ...(isMade ? [] : [`${who} was given ${value} for ${key}, which nobody has made`]),
      ]
    })
  },
})
