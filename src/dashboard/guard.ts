/**
 * Who may ask: checks of a request before anything is read for it.
 *
 * Rebinding  a name that its owner points at this machine would make a foreign page the same origin: only `localhost`,
 *            addresses in digits, and names that the caller has listed may stand in `Host`.
 * Forgery    a request for another page says so in `Origin` or `Sec-Fetch-Site`, and is refused; a change
 *            needs a header of ours besides, which no form can send.
 * Framing    no page may show this one in a frame, so nobody can be made to click in it.
 * Content    nothing inline and nothing from elsewhere is run or loaded, and scripts may not make HTML of text.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DashboardSettings } from './options.ts'
import { Refusal } from './refusal.ts'

/** The header that every change has to have. */
const CHANGE_HEADER = 'x-quorate-dashboard'

const HOST = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i
const ADDRESS_IN_DIGITS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])$/i

const CONTENT_SECURITY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'connect-src', 'img-src'].map((name) => `${name} 'self'`),
  ...['frame-ancestors', 'base-uri', 'form-action'].map((name) => `${name} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** Headers of every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY,
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/** The settings that decide who may ask for what. */
type Access = Pick<DashboardSettings, 'hosts' | 'token' | 'authorize' | 'readOnly'>

/** Puts the headers on an answer that say what a browser may do with it. */
export function setSecurityHeaders(response: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
}

/**
 * Checks what every request must be, the page's own files included.
 *
 * @throws Refusal for a name of another host
 */
export function checkHost({ headers }: IncomingMessage, { hosts }: Access): void {
  const name = (HOST.exec(headers.host ?? '')?.[1] ?? '').toLowerCase()
  if (name === 'localhost' || ADDRESS_IN_DIGITS.test(name) || hosts.has(name)) return
  const given = JSON.stringify(headers.host ?? '')
  const message = `no host of this dashboard is called ${given}; the option hosts lists names`
  throw new Refusal(403, 'HOST_REFUSED', message)
}

/**
 * Checks a request of the API.
 *
 * @throws Refusal that says what is missing
 */
export async function checkAccess(request: IncomingMessage, access: Access): Promise<void> {
  const { headers, method } = request
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw foreign(`Sec-Fetch-Site: ${site}`)
  if (headers.origin !== undefined && hostOfOrigin(headers.origin) !== headers.host?.toLowerCase()) {
    throw foreign(`Origin: ${headers.origin}`)
  }
  if (access.token !== undefined && !isSame(bearerOf(headers.authorization), access.token)) {
    throw new Refusal(401, 'NOT_SIGNED_IN', 'this dashboard needs its token, as Authorization: Bearer')
  }
  const isChange = method !== 'GET' && method !== 'HEAD'
  if (isChange && access.readOnly) throw new Refusal(403, 'CHANGES_OFF', READ_ONLY)
  if (isChange && headers[CHANGE_HEADER] !== '1') throw foreign(`no header ${CHANGE_HEADER}: 1`)
  if (access.authorize !== undefined && !(await access.authorize(request, isChange ? 'write' : 'read'))) {
    throw new Refusal(403, 'NO_AUTH', 'authorize refused this request')
  }
}

/** Why buttons are off. */
export const READ_ONLY = 'Read-only. Start with --read-write and a token, or with readOnly: false.'

function foreign(what: string): Refusal {
  return new Refusal(403, 'ORIGIN_REFUSED', `a request of another page is not answered (${what})`)
}

function hostOfOrigin(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}

function bearerOf(header: string | undefined): string {
  return /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? ''
}

/** Takes as long for any wrong text. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret))
}
