/** The page in Chromium: built once into a temporary folder, against a dashboard of this process. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { run } from 'axe-core'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { build } from 'vite'
import { findProgram, reasonToSkip } from '../engines/process.ts'

const CONFIG = fileURLToPath(new URL('../../vite-page.config.ts', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const CHROMIUM = findProgram('chromium')
const SIZE = { width: 1280, height: 800 }

/** Why the tests of the page are skipped, or null if they run. */
export const chromiumMissing: string | null = reasonToSkip('chromium', CHROMIUM !== null)

/** Builds the page; answers with its folder, which whoever asked removes. */
export async function builtPage(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'quorate-page-'))
  await build({ configFile: CONFIG, logLevel: 'error', build: { outDir } })
  return outDir
}

/** A browser, and what its pages complained of. */
export class PageRig {
  readonly folder: string
  /** Errors of scripts and reports of the content security policy. */
  readonly complaints: string[] = []
  readonly #browser: Browser

  private constructor(folder: string, browser: Browser) {
    this.folder = folder
    this.#browser = browser
  }

  /** @param build - makes the pages, in a folder that is removed in the end */
  static async start(build: () => Promise<string> = builtPage): Promise<PageRig> {
    const folder = await build()
    const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
    return new PageRig(folder, await chromium.launch({ executablePath: CHROMIUM ?? '', args }))
  }

  /** Opens an address; what its scripts complain of is kept. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: SIZE, reducedMotion: 'reduce', ...options })
    const page = await context.newPage()
    page.on('pageerror', ({ message }) => this.complaints.push(message))
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted Type/i.test(message.text())) this.complaints.push(message.text())
    })
    await page.goto(url)
    return page
  }

  /** The faults that axe finds, one per line. */
  async violations(page: Page): Promise<string[]> {
    await page.evaluate(AXE)
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as typeof globalThis & { axe: { run: typeof run } }
      const { violations } = await axe.run()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
    })
    return found
  }

  /** Ends the browser, and removes the built page. */
  async close(): Promise<void> {
    await this.#browser.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
