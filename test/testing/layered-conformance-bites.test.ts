/** The suite of layered configurations finds broken ones. */
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LayeredConfig } from '../../src/recipes/config/layered-config.ts'
import { layeredSuite } from '../../src/testing/index.ts'
import type { LayeredSuiteOptions } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type MakeLayered = LayeredSuiteOptions['makeLayered']

const BROKEN: readonly Broken<MakeLayered>[] = [
  {
    what: 'layers are laid over each other by Object.assign',
    make: (client, paths) => {
      const layers = paths.map((path) => new ConfigCenter<object>(client, path))
      return {
        ...faceOf(new LayeredConfig<object>(client, paths)),
        ready: async () => Object.assign({}, ...(await Promise.all(layers.map((layer) => layer.ready())))) as unknown,
      }
    },
    caughtBy: 'an overlay merges objects, replaces arrays, and removes by null',
  },
  {
    what: 'the value is what it was when it was read first',
    make: (client, paths) => {
      const layered = new LayeredConfig<object>(client, paths)
      return { ...faceOf(layered), current: undefined }
    },
    caughtBy: 'a layer that comes, changes or goes changes the value everywhere',
  },
  {
    what: 'a change is told a second time, after a newer one',
    make: (client, paths) => {
      const layered = new LayeredConfig<object>(client, paths)
      return {
        ...faceOf(layered),
        subscribe: (listener) => {
          let before: { readonly value: unknown } | null = null
          return layered.subscribe((change) => {
            listener(change)
            if (before !== null) listener(before)
            before = change
          })
        },
      }
    },
    caughtBy: 'nobody goes back to an older write of a layer, and everybody ends at the last',
  },
  {
    what: 'it ends with its session',
    make: (client, paths) => {
      const layered = new LayeredConfig<object>(client, paths)
      const { sessionId } = client
      client.onState(() => {
        if (client.sessionId !== sessionId) void layered.close()
      })
      return layered
    },
    caughtBy: 'it goes on with the next session',
  },
]

function faceOf(layered: LayeredConfig<object>): ReturnType<MakeLayered> {
  return {
    get current() {
      return layered.current
    },
    ready: () => layered.ready(),
    subscribe: (listener) => layered.subscribe(listener),
  }
}

const sound: MakeLayered = (client, paths) => new LayeredConfig<object>(client, paths)

bites('layered configuration', BROKEN, sound, (engine, makeLayered) => {
  return collectedCases((runner) => {
    layeredSuite(runner, { ...engine, makeLayered })
  })
})
