/**
 * The page in real Chromium, against a live ensemble of this process with faults: what each view shows, that it is
 * live, that it is accessible in both themes, and that what nodes hold is text. With QUORATE_PICTURES=1 it writes the
 * picture of the guide.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { ConfigCenter, FairLock, GroupMembership, LeaderElection, ServiceRegistry, connect } from 'quorate'
import type { Client, Lease } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { Ensemble } from 'quorate/embedded'
import { PageRig, chromiumMissing } from './page-rig.ts'
import { HttpRig } from './rig.ts'

const START_MS_MAX = 180_000
const SHOWN_MS_MAX = 30_000
const COMPRESSED_BYTES_MAX = 60 * 1_024
const PICTURE = fileURLToPath(new URL('../../docs/guide/dashboard.png', import.meta.url))
const VIEWS = [
  ...['overview', 'sessions', 'locks?path=/locks/orders', 'leaders', 'members', 'config', 'services'],
  ...['tree?path=/config/discount', 'events'],
]
const HOSTILE = '<img src=x onerror="document.title=\'taken\'">'

const skipped = chromiumMissing === null ? '' : ` (${chromiumMissing})`

describe.skipIf(chromiumMissing !== null)(`the page of the dashboard${skipped}`, { timeout: START_MS_MAX }, () => {
  const rig = new HttpRig()
  let pages: PageRig
  let ensemble: Ensemble
  let client: Client
  let worker: Client
  let held: Lease
  let url: string
  let page: Page

  beforeAll(async () => {
    pages = await PageRig.start()
    ensemble = embedded({ servers: 3 })
    client = await connect(ensemble)
    worker = await connect(ensemble)
    held = await fill(client, worker)
    url = await rig.dashboard({ client, ensemble, name: 'shop', pollMs: 100 }, pages.folder)
    page = await pages.open(url)
  }, START_MS_MAX)

  afterAll(async () => {
    await pages.close()
    await rig.close()
    await client.close()
    await worker.close()
    await ensemble.close()
  })

  afterEach(() => {
    expect(pages.complaints.splice(0)).toEqual([])
  })

  async function shows(view: string, ...texts: readonly string[]): Promise<void> {
    await page.goto(`${url}#/${view}`)
    for (const text of texts) await page.getByText(text).first().waitFor({ timeout: SHOWN_MS_MAX })
  }

  it('is at most 60 KB compressed', () => {
    const files = readdirSync(pages.folder).map((name) => readFileSync(join(pages.folder, name)))
    const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0)
    expect(bytes).toBeLessThan(COMPRESSED_BYTES_MAX)
  })

  it('shows in each view what the ensemble holds', async () => {
    await shows('overview', 'Serving.', `Server ${ensemble.leader ?? 0} leads epoch`, 'FOLLOWING')
    await shows('locks?path=/locks/orders', 'checkout-1', '1 contender waits.', 'checkout-2')
    await shows('leaders', '/elections/scheduler', 'scheduler-a', 'LEADS')
    await shows('members', '/groups/workers', 'worker-1', 'worker-2')
    await shows('services', '/services/api', '10.0.0.7:8080', 'OFFERED', '1 service, 1 instance.')
    await shows('sessions', '2 sessions; all of them are heard.', 'this dashboard', 'in the process of its server')
    await page.getByText(/^\d nodes$/).first().click()
    await page.getByRole('link', { name: '/groups/workers/worker-' }).waitFor()
    await shows('config?path=/config/discount', '"percent": 15', 'anna', 'Compare')
    await shows('tree?path=/config/discount', 'persistent', '"percent": 15', 'Length')
    await shows('events', 'Events, newest first.')
  })

  it.each(['light', 'dark'] as const)('has no violation that axe finds, in %s', async (colorScheme) => {
    const own = await pages.open(url, { colorScheme })
    for (const view of VIEWS) {
      await own.goto(`${url}#/${view}`)
      await own.locator('.panel').first().waitFor({ timeout: SHOWN_MS_MAX })
      await own.locator('[aria-busy]').first().waitFor({ state: 'detached', timeout: SHOWN_MS_MAX })
      expect(await pages.violations(own), view).toEqual([])
    }
    await own.context().close()
  })

  it('shows what a node holds as text, whatever it is', async () => {
    await shows('tree?path=/hostile', HOSTILE)
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.title()).not.toBe('taken')
  })

  it('compares an older value with the one in force', async () => {
    await shows('config?path=/config/discount', 'Compare')
    await page.getByRole('button', { name: 'Compare version 1 with the value in force' }).click()
    await page.locator('.code .del', { hasText: '"percent": 10' }).waitFor()
    await page.locator('.code .add', { hasText: '"percent": 15' }).waitFor()
  })

  it('opens the tree by keys', async () => {
    await shows('tree', 'config')
    await page.getByRole('treeitem', { name: '/', exact: true }).focus()
    await page.keyboard.press('ArrowDown')
    await page.locator('[data-path="/config"]:focus').waitFor()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('treeitem', { name: /^discount/ }).waitFor()
  })

  it('says that buttons are off, and why', async () => {
    await shows('tree?path=/config/discount', 'Edit')
    const edit = page.getByRole('button', { name: /Edit/ })
    expect(await edit.getAttribute('aria-disabled')).toBe('true')
    expect(await edit.getAttribute('title')).toContain('Read-only')
    await page.getByText('Read-only', { exact: true }).waitFor()
  })

  it('is on a picture', async () => {
    await shows('locks?path=/locks/orders', 'checkout-2')
    const picture = await page.screenshot(process.env['QUORATE_PICTURES'] === '1' ? { path: PICTURE } : {})
    expect(picture.length).toBeGreaterThan(0)
  })

  it('shows live that a lock goes on to the next when its holder gives it up', async () => {
    await shows('locks?path=/locks/orders', '1 contender waits.')
    await held.release()
    await page.getByText('Nobody waits.', { exact: true }).waitFor({ timeout: SHOWN_MS_MAX })
    await page.locator('ol li.on', { hasText: 'checkout-2' }).waitFor({ timeout: SHOWN_MS_MAX })
  })

  it('shows live that the leader has stopped, and who leads then', async () => {
    const before = ensemble.leader ?? 0
    await shows('overview', `Server ${before} leads`)
    ensemble.crash(before)
    await page.locator(`tr[data-server="${before}"]`, { hasText: 'NO ANSWER' }).waitFor({ timeout: SHOWN_MS_MAX })
    await page.getByText('Serving, but losing one more stops it.').waitFor({ timeout: SHOWN_MS_MAX })
    await shows('events', `Server ${before} has stopped.`)
    ensemble.restart(before)
    await page.getByText(`Server ${before} serves, following`).first().waitFor({ timeout: SHOWN_MS_MAX })
  })

  it('says that it is not live when the dashboard is gone, and keeps the picture', async () => {
    const gone = new HttpRig()
    const own = await pages.open(await gone.dashboard({ client, ensemble, pollMs: 100 }, pages.folder))
    await own.getByText('Serving').first().waitFor({ timeout: SHOWN_MS_MAX })
    await gone.close()
    await own.getByText('Not live.').first().waitFor({ timeout: SHOWN_MS_MAX })
    expect(await own.getByText('Servers', { exact: true }).count()).toBeGreaterThan(0)
    await own.context().close()
  })

  it('asks for the token, and with it writes only what nobody has changed meanwhile', async () => {
    const token = 'secret-of-the-test'
    const own = await rig.dashboard({ client, ensemble, token, readOnly: false, pollMs: 100 }, pages.folder)
    const signed = await pages.open(own)
    await signed.getByText('This dashboard needs its token.').waitFor()
    await signed.goto('about:blank')
    await signed.goto(`${own}#token=${token}`)
    await signed.getByText('Changes are on').waitFor({ timeout: SHOWN_MS_MAX })
    expect(signed.url()).not.toContain(token)
    await client.create('/edited', 'first')
    await signed.goto(`${own}#/tree?path=/edited`)
    await signed.getByRole('button', { name: 'Edit' }).click()
    await client.set('/edited', 'theirs')
    await signed.getByText('Somebody changed this node to version 1.').waitFor({ timeout: SHOWN_MS_MAX })
    await signed.getByRole('textbox', { name: /New data/ }).fill('mine')
    await signed.getByRole('button', { name: 'Write' }).click()
    await signed.getByText('Not written:').waitFor({ timeout: SHOWN_MS_MAX })
    expect(new TextDecoder().decode((await client.get('/edited')).data)).toBe('theirs')
    await signed.getByRole('button', { name: 'Go on from version 1' }).click()
    await signed.getByRole('button', { name: 'Write' }).click()
    await signed.getByText('version 2').first().waitFor({ timeout: SHOWN_MS_MAX })
    expect(new TextDecoder().decode((await client.get('/edited')).data)).toBe('mine')
    await signed.context().close()
  })
})

/** Puts something of each recipe into the ensemble; answers with a lock that is held, and that another waits for. */
async function fill(client: Client, worker: Client): Promise<Lease> {
  const held = await new FairLock(client, '/locks/orders').acquire({ data: 'checkout-1' })
  void new FairLock(worker, '/locks/orders').acquire({ data: 'checkout-2' }).catch(() => undefined)
  await new FairLock(client, '/locks/ledger').acquire({ data: 'nightly-report' })
  void new LeaderElection(client, '/elections/scheduler', { id: 'scheduler-a' }).campaign().catch(() => undefined)
  const group = new GroupMembership(client, '/groups/workers')
  await group.join('worker-1', { data: { zone: 'eu' } })
  await new GroupMembership(worker, '/groups/workers').join('worker-2')
  await new ServiceRegistry(client, '/services').register('api', { address: '10.0.0.7', port: 8080 })
  const config = new ConfigCenter<object>(client, '/config/discount', { history: { author: 'anna' } })
  await config.publish({ percent: 10, countries: ['DE', 'AT'] }, { comment: 'black week' })
  await config.publish({ percent: 15, countries: ['DE', 'AT'] })
  await client.create('/hostile', HOSTILE)
  return held
}
