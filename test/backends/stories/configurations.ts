/** The parts of roll-outs and of configurations of several layers: one client publishes, and all follow. */
import { ConfigCenter, LayeredConfig } from 'quorate'
import { now } from './holds.ts'
import { CLIENTS, part, wentBack } from './part.ts'

const ROLLOUT = '/story/rollout'
/** More than are published in a story. */
const ENTRIES_MAX = 1_000
const ENTRIES_LOOKED_AT = 10

type RolloutSaid =
  /** It had this value from then on. */
  | { readonly type: 'has'; readonly value: number; readonly atMs: number }
  /** It is about to be published for all. */
  | { readonly type: 'promotes'; readonly value: number; readonly atMs: number }
  /** It was published, with this entry; `last`: nothing comes after it. */
  | { readonly type: 'published'; readonly value: number; readonly version: number; readonly isLast: boolean }
  | { readonly type: 'entry'; readonly value: number; readonly version: number }

/** One stages value after value, each for one client, and publishes it for all. */
export const CONFIG_ROLLOUT = part<RolloutSaid>(
  'ConfigCenter brings a staged value to those it is for, then to everyone, and never back',
  {
    paths: [],
    prepare: async (client) => {
      const config = new ConfigCenter<number>(client, ROLLOUT, { history: { entriesMax: ENTRIES_MAX } })
      if ((await config.get()) === undefined) await config.publish(0)
      await config.close()
    },
    open: ({ client, who, isLead, tell }) => {
      const history = { entriesMax: ENTRIES_MAX }
      const config = new ConfigCenter<number>(client, ROLLOUT, { history, member: { id: memberOf(who) } })
      config.subscribe(({ value }) => {
        if (value !== undefined) tell({ type: 'has', value, atMs: now() })
      })
      if (!isLead) return { last: () => Promise.resolve() }
      let value = 0
      const promote = async (): Promise<void> => {
        const staged = await config.rollout.staged()
        if (staged?.value === undefined) return
        tell({ type: 'promotes', value: staged.value, atMs: now() })
        const { historyVersion: version } = await config.rollout.promote()
        tell({ type: 'published', value: staged.value, version, isLast: false })
      }
      return {
        round: async () => {
          // One whose answer was lost may be staged.
          await promote()
          value += 1
          await config.publish(value, { rollout: { members: [memberOf(value)] } })
          await promote()
        },
        last: async () => {
          await promote()
          value += 1
          tell({ type: 'promotes', value, atMs: now() })
          const { historyVersion: version = 0 } = await config.publish(value, { force: true })
          for (const entry of await config.history({ limit: ENTRIES_LOOKED_AT })) {
            tell({ type: 'entry', value: entry.value ?? -1, version: entry.version ?? -1 })
          }
          tell({ type: 'published', value, version, isLast: true })
        },
      }
    },
    broken: ({ said, present }) => {
      const entries = new Map(said.flatMap((one) => (one.type === 'entry' ? [[one.version, one.value]] : [])))
      const oldest = Math.min(...entries.keys())
      return said.flatMap((one) => {
        if (one.type === 'published' && one.version >= oldest && entries.get(one.version) !== one.value) {
          return [`${one.value} was published as ${one.version}, which has ${entries.get(one.version)}`]
        }
        if (one.type !== 'has' || one.value === 0 || memberOf(one.value) === memberOf(one.who)) return []
        const isForAll = said.some((other) => {
          return other.type === 'promotes' && other.value === one.value && other.atMs < one.atMs
        })
        return isForAll ? [] : [`${one.who} has ${one.value}, which was not for it`]
      }).concat(present.flatMap((who) => {
        return wentBack(said.flatMap((one) => (one.type === 'has' && one.who === who ? [one.value] : [])), `${who}`)
      }))
    },
    missing: ({ said, present }) => {
      const last = said.find((one) => one.type === 'published' && one.isLast)
      if (last?.type !== 'published') return ['nothing was published in the end']
      return present.flatMap((who) => {
        const has = said.findLast((one) => one.type === 'has' && one.who === who)
        return has?.type === 'has' && has.value === last.value ? [] : [`${who} has not come to ${last.value}`]
      })
    },
  },
)

/** Each client is a member, and each value is staged for one. */
function memberOf(number: number): string {
  return `member-${number % CLIENTS}`
}

const LAYERS = ['base', 'overlay'] as const
const LAYER_PATHS = LAYERS.map((layer) => `/story/layers/${layer}`)

type Layers = { readonly [Layer in (typeof LAYERS)[number]]?: number }

interface LayersSaid {
  readonly type: 'saw' | 'published'
  readonly layers: Layers
}

/** One publishes number after number in each layer. */
export const LAYERED_CONFIG = part<LayersSaid>('LayeredConfig brings all to the last value of each layer, never back', {
  paths: [],
  open: ({ client, isLead, tell }) => {
    new LayeredConfig<Layers>(client, LAYER_PATHS).subscribe(({ value }) => {
      if (value !== undefined) tell({ type: 'saw', layers: value })
    })
    if (!isLead) return { last: () => Promise.resolve() }
    const configs = LAYER_PATHS.map((path) => new ConfigCenter<Layers>(client, path))
    let value = 0
    const publish = async (): Promise<void> => {
      for (const [index, layer] of LAYERS.entries()) {
        value += 1
        await configs[index]?.publish({ [layer]: value })
        tell({ type: 'published', layers: { [layer]: value } })
      }
    }
    return { round: publish, last: publish }
  },
  broken: ({ said, present }) => present.flatMap((who) => LAYERS.flatMap((layer) => {
    const own = said.filter((one) => one.type === 'saw' && one.who === who)
    return wentBack(own.flatMap(({ layers }) => layers[layer] ?? []), `${layer} at ${who}`)
  })),
  missing: ({ said, present }) => LAYERS.flatMap((layer) => {
    const numbers = (type: LayersSaid['type'], who?: number): number[] => {
      const own = said.filter((one) => one.type === type && (who ?? one.who) === one.who)
      return own.flatMap(({ layers }) => layers[layer] ?? [])
    }
    const last = numbers('published').at(-1)
    const late = present.filter((who) => numbers('saw', who).at(-1) !== last)
    return late.map((who) => `${who} does not see ${layer} ${last}`)
  }),
})
