/** The lines that a client logs. */
import { expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Logger } from '../../src/core/log-observer.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { SESSION_TIMEOUT_MS, closeAll, failureOf, newRig, pass, run, sessionOf } from '../recipes/rig.ts'
import { useVirtualTime } from '../recipes/rig.ts'

useVirtualTime()

function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn') }, lines }
}

it('tells of states, leases, elections and changes, each at its level, and of failed calls by their code', async () => {
  const [rig, { logger, lines }] = [newRig(), recorder()]
  const client = await run(connect(rig.backend, { logger, namespace: '/app' }))
  const session = `0x${sessionOf(client).toString(16)}`
  const lease = await run(new FairLock(client, '/a b').acquire())
  await failureOf(client.get('/none'))
  const leadership = await run(new LeaderElection(client, '/e', { id: 'x' }).campaign())
  const config = new ConfigCenter<string>(client, '/c')
  await run(config.publish('a secret'))
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  await run(config.close())
  expect(await closeAll(rig, client)).toEqual([])
  const held = `kind=lock path=${JSON.stringify(lease.path)} token=${lease.token}`
  const told = lines.map((line) => line.replace(/\b(\w+_ms)=\d+/g, '$1=N'))
  expect(told).toEqual(expect.arrayContaining([
    `info quorate session connected session=${session}`,
    `debug quorate wait done method=acquire kind=lock path="/a b" duration_ms=N`,
    `debug quorate lease acquired ${held}`,
    'debug quorate call failed method=get path=/none code=NO_NODE duration_ms=N',
    `info quorate leader elected path=/e id=x token=${leadership.token}`,
    'info quorate config publish done path=/c duration_ms=N',
    `warn quorate session suspended session=${session} previous=connected previous_ms=N`,
    `warn quorate lease lost ${held} held_ms=N reason=deadline-passed`,
    `warn quorate leader lost path=/e id=x token=${leadership.token} led_ms=N reason=deadline-passed`,
  ]))
  expect(lines.at(-1)).toMatch(/^info quorate session closed previous=/)
  expect(lines.join('\n')).not.toContain('secret')
})

it('is refused if it has not the methods', async () => {
  const { backend } = newRig()
  await expect(connect(backend, { logger: 'x' as never })).rejects.toThrow(
    new TypeError('logger must have the methods debug, info and warn, got "x"'),
  )
  await expect(connect(backend, { logger: { debug: () => undefined, info: 1 } as never })).rejects.toThrow(
    new TypeError('logger.info must be a function, got 1'),
  )
})
