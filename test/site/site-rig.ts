/** The built site: its files, and a server for them that answers as a host of static files does. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const VITEPRESS = join(ROOT, 'node_modules/vitepress/bin/vitepress.js')

/** Where a site is that `npm run docs:site` has built, for a run that need not build it again. */
const BUILT = process.env['QUORATE_SITE']

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** Whether the site that is looked at has the pages of the API. */
export const hasReference: boolean = BUILT !== undefined

/** The site in a folder of its own; it is built, without the pages of the API, unless one is given. */
export async function builtSite(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-site-'))
  if (BUILT === undefined) await build(folder)
  else cpSync(BUILT, folder, { recursive: true })
  return folder
}

function build(folder: string): Promise<void> {
  const env = { ...process.env, NODE_ENV: 'production', QUORATE_SITE_OUT: folder, QUORATE_SITE_REFERENCE: 'off' }
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  const child = spawn(process.execPath, [VITEPRESS, 'build', 'site'], { cwd: ROOT, env, stdio })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      if (status === 0) resolve()
      else reject(new Error(`the site was not built:\n${Buffer.concat(output).toString()}`))
    })
  })
}

/** Its files, from its folder, in order. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
}

/** A server of its files, on loopback. */
export class SiteServer {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  static start(folder: string): Promise<SiteServer> {
    const server = createServer(({ url = '/' }, response) => {
      const file = fileOf(folder, new URL(url, 'http://localhost').pathname)
      if (file === null) return response.writeHead(404).end()
      return response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(readFileSync(file))
    })
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(new SiteServer(server)))
    })
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** The file of an address, which may lack `.html` or `index.html`; null if there is none. */
export function fileOf(folder: string, address: string): string | null {
  const path = join(folder, decodeURIComponent(address))
  const candidates = address.endsWith('/') ? [join(path, 'index.html')] : [path, `${path}.html`]
  return candidates.find((file) => existsSync(file) && statSync(file).isFile()) ?? null
}
