/** Calls of the API, with the token that the address of the page has brought. */
import type { Answer, Changes, Done, Failure, Reads } from '../api.ts'

const TOKEN = 'quorate-token'

/** A call that was not done. */
export class CallFailed extends Error {
  readonly status: number
  readonly failure: Failure['error']

  constructor(status: number, failure: Failure['error']) {
    super(failure.message)
    this.status = status
    this.failure = failure
  }
}

/** Takes the token out of the address, so that it is not in a link that is copied. */
export function takeToken(): void {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? []
  if (token === undefined) return
  keepToken(decodeURIComponent(token))
  history.replaceState(null, '', `${location.pathname}#/overview`)
}

/** Keeps a token until the tab is closed. */
export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN, token)
}

/** Headers of every call. */
function headers(): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN)
  return token === null ? {} : { Authorization: `Bearer ${token}` }
}

/** The options of a call beside its path. */
interface CallInit extends Omit<RequestInit, 'headers'> {
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a request; whoever asked reads the body. */
export async function call(path: string, init: CallInit = {}): Promise<Response> {
  const response = await fetch(`./api/v1/${path}`, { ...init, headers: { ...headers(), ...init.headers } })
  if (response.ok) return response
  const body = (await response.json().catch(() => null)) as Failure | null
  const unknown = { code: 'SYSTEM_ERROR', message: `the dashboard answered ${response.status}`, outcome: 'unknown' }
  throw new CallFailed(response.status, body?.error ?? unknown)
}

/** Why a change was not made, or may have been, for whoever made it. */
export function outcomeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const isUnknown = error instanceof CallFailed && error.failure.outcome === 'unknown'
  if (!isUnknown) return `Not written: ${message}`
  return `It may have been written. ${message}. Read the node before you do it again.`
}

/** Reads once. */
export async function read<N extends keyof Reads>(name: N, query = ''): Promise<Answer<Reads[N]>> {
  return (await (await call(name + query)).json()) as Answer<Reads[N]>
}

/** Makes a change. */
export async function change<C extends keyof Changes>(name: C, body: Changes[C]): Promise<Done> {
  const [method = '', path = ''] = name.split(' ')
  const init = { 'Content-Type': 'application/json', 'X-Quorate-Dashboard': '1' }
  const response = await call(path, { method, headers: init, body: JSON.stringify(body) })
  return (await response.json()) as Done
}
