/** `quorate dashboard`: what it prints, what it refuses, and that it ends with a signal. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { runDashboard } from '../../src/cli/dashboard-command.ts'
import { runServer } from '../../src/cli/server-command.ts'
import type { Ensemble } from '../../src/dashboard/api.ts'
import { ask, dataOf } from '../dashboard/rig.ts'

const TOKEN = 'a-token-of-the-test'

/** Runs the command until it serves and `look` is done; answers with its status and what it printed. */
async function served(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  look: (url: string) => Promise<void>,
): Promise<{ readonly status: number; readonly out: string }> {
  const stop = new AbortController()
  let out = ''
  let looking: Promise<void> = Promise.resolve()
  const output = {
    out: (text: string) => {
      out += text
      const url = /at (http:\S+\/)/.exec(text)?.[1]
      if (url !== undefined) looking = look(url).finally(() => stop.abort())
    },
    err: (text: string) => void (out += text),
  }
  const status = await runDashboard(args, env, output, stop.signal)
  await looking
  return { status, out }
}

const refused = (...args: string[]): Promise<unknown> => served(args, {}, () => Promise.resolve())

describe('quorate dashboard', () => {
  it('prints its address, shows the servers of the engine, and ends with a signal', async () => {
    let told: Ensemble | null = null
    const { status, out } = await served(['--connect', 'embedded:', '--port', '0'], {}, async (url) => {
      told = await dataOf<Ensemble>(`${url}api/v1/ensemble`)
    })
    expect(out).toMatch(/^the dashboard is at http:\/\/127\.0\.0\.1:\d+\/\n$/)
    expect(told).toMatchObject({ serving: true, voters: 3, answering: 3 })
    expect(status).toBe(0)
  })

  it('takes the token from the environment, and prints it in the part that browsers do not send', async () => {
    const env = { QUORATE_DASHBOARD_TOKEN: TOKEN }
    const args = ['--connect', 'embedded:?servers=1', '--port', '0', '--read-write']
    const { out } = await served(args, env, async (url) => {
      expect((await ask(`${url}api/v1/meta`)).status).toBe(401)
    })
    expect(out).toMatch(new RegExp(`/#token=${TOKEN}\\n$`))
  })

  it('is served by a server too, with --dashboard, and shows that server', async () => {
    const stop = new AbortController()
    let told: Ensemble | null = null
    let looking: Promise<void> = Promise.resolve()
    const look = async (url: string): Promise<void> => {
      told = await dataOf<Ensemble>(`${url}api/v1/ensemble`)
    }
    const output = {
      out: (text: string) => {
        const url = /at (http:\S+\/)/.exec(text)?.[1]
        if (url !== undefined) looking = look(url).finally(() => stop.abort())
      },
      err: () => undefined,
    }
    const args = ['--client-port', '0', '--dashboard', '--dashboard-port', '0']
    expect(await runServer(args, output, stop.signal)).toBe(0)
    await looking
    expect(told).toMatchObject({ serving: true, voters: 1, servers: [{ role: 'STANDALONE' }] })
    await expect(runServer(['--dashboard-port', 'x'], output, stop.signal)).rejects.toThrow('--dashboard-port must be')
  })

  it('shows its usage', async () => {
    const { status, out } = await served(['--help'], {}, () => Promise.resolve())
    expect(status).toBe(0)
    expect(out).toMatch(/^usage: quorate dashboard /)
  })

  it.each([
    [['--read-write'], '--read-write needs --token'],
    [['--host', '0.0.0.0'], '--host 0.0.0.0 is open to others: it needs --token'],
    [['--port', '70000'], '--port must be a port from 0 to 65535, got "70000"'],
    [['--root', 'lock=/a'], '--root must be one of locks, leaders, groups, config, services, = and paths'],
    [['--colour', 'red'], 'dashboard has no option --colour'],
    [['now'], 'dashboard takes options only, got now'],
    [['--connect', 'embedded:?servers=1', '--token', 'short', '--port', '0'], 'token must be 8 or more characters'],
    [['--connect', 'embedded:?servers=1', '--root', 'locks=a', '--port', '0'], "roots.locks must be a node's path"],
  ])('refuses %j', async (args, message) => {
    await expect(refused(...args)).rejects.toThrow(message)
  })

  it('says that its port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const args = ['--connect', 'embedded:?servers=1', '--port', String(port)]
    await expect(refused(...args)).rejects.toThrow(`cannot listen on 127.0.0.1:${port} for the dashboard: it is taken`)
    other.close()
  })
})
