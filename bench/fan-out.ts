/** One change of configuration on its way to many sessions. */
import { connect, ConfigCenter } from 'quorate'
import { embedded } from 'quorate/embedded'
import { spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

const SESSIONS = 100
const CONFIG_PATH = '/config/prices'

/** Measures the time from the call of `publish` until the last of 100 sessions has the new value. */
export async function* measureFanOut(effort: Effort): AsyncGenerator<Figure> {
  await using ensemble = embedded({ servers: 3 })
  await using publisher = await connect(ensemble)
  const source = new ConfigCenter<number>(publisher, CONFIG_PATH)
  const published = await source.publish(0)
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => connect(ensemble)))
  const arrivals = new Arrivals()
  for (const client of clients) {
    const center = new ConfigCenter<number>(client, CONFIG_PATH)
    await center.ready()
    center.subscribe(({ version }) => arrivals.note(version), { emitInitial: false })
  }
  const times: number[] = []
  for (let change = 1; change <= effort.events; change++) {
    const all = arrivals.of(published.version + change, SESSIONS)
    const startMs = performance.now()
    await source.publish(change)
    times.push((await all) - startMs)
  }
  yield { figure: 'config change to all', size: SESSIONS, unit: 'ms', ...spread(times) }
  await Promise.all(clients.map((client) => client.close()))
}

/** Counts the sessions that have a version, and tells when the last one got it. */
class Arrivals {
  #version = 0
  #missing = 0
  #done = (_atMs: number): void => undefined

  of(version: number, sessions: number): Promise<number> {
    this.#version = version
    this.#missing = sessions
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  note(version: number | null): void {
    if (version !== this.#version) return
    this.#missing -= 1
    if (this.#missing === 0) this.#done(performance.now())
  }
}
