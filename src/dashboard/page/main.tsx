/** The page: its frame, the keys that go from view to view, and the view that the address names. */
import { render } from 'preact'
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Meta, View } from '../api.ts'
import { CallFailed, keepToken, read, takeToken } from './calls.ts'
import { Config } from './config.tsx'
import { Events } from './events.tsx'
import { clock, duration } from './format.ts'
import { Leaders } from './leaders.tsx'
import { live, useTick, useTopic } from './live.ts'
import { Locks } from './locks.tsx'
import { Members } from './members.tsx'
import { Overview } from './overview.tsx'
import { go, href, useRoute } from './route.ts'
import type { Route } from './route.ts'
import { Services } from './services.tsx'
import { Sessions } from './sessions.tsx'
import { Tree } from './tree.tsx'

/** Groups of the navigation: view, word, letter after `g`, and the path of its icon. */
const NAV: readonly (readonly [string, readonly (readonly [View, string, string, string])[]])[] = [
  ['Ensemble', [
    ['overview', 'Overview', 'o', 'M8 3v4M8 7l-4 5M8 7l4 5M3 12h2M11 12h2M7 2h2v2H7z'],
    ['sessions', 'Sessions', 's', 'M2 4h12v8H2zM5 12v2M11 12v2M4 14h8'],
    ['events', 'Events', 'e', 'M2 4h12M2 8h8M2 12h10'],
  ]],
  ['Recipes', [
    ['locks', 'Locks', 'l', 'M3 7h10v7H3zM5 7V5a3 3 0 0 1 6 0v2'],
    ['leaders', 'Leaders', 'd', 'M4 14V2l9 3-9 3'],
    ['members', 'Members', 'm', 'M6 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM2 13c0-5 8-5 8 0M11 4a2 2 0 0 1 0 4'],
    ['config', 'Configuration', 'c', 'M2 4h6M11 4h3M2 8h2M7 8h7M2 12h7M12 12h2M8 2v4M4 6v4M9 10v4'],
    ['services', 'Services', 'v', 'M3 3h10v4H3zM3 9h10v4H3zM5 5h1M5 11h1'],
  ]],
  ['Data', [['tree', 'Tree', 't', 'M3 3h4v3H3zM9 7h4v3H9zM9 12h4v2H9zM5 6v7h4M5 8.5h4']]],
]

const WORDS = { live: 'Live', connecting: 'Connecting…', stale: 'Not live', 'signed-out': 'Signed out' } as const

function App(): JSX.Element {
  const route = useRoute()
  const [meta, setMeta] = useState<Meta | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  useTick()
  const isSignedOut = live.liveness === 'signed-out'
  const load = (): void => {
    read('meta').then(({ data }) => setMeta(data), (error: unknown) => {
      if (error instanceof CallFailed && error.status === 401) setProblem('signed-out')
      else setProblem(error instanceof Error ? error.message : String(error))
    })
  }
  useEffect(load, [])
  useEffect(() => {
    document.title = `${route.view[0]?.toUpperCase() ?? ''}${route.view.slice(1)} · ${meta?.name ?? 'Quorate'}`
    document.getElementById('h1')?.focus({ preventScroll: true })
  }, [route.view, meta])
  useKeys()
  if (isSignedOut || problem === 'signed-out') return <SignIn onDone={() => location.reload()} />
  if (meta !== null) return <Frame meta={meta} route={route} />
  return <main><h1>{problem === null ? 'Reading…' : 'This could not be read.'}</h1><p>{problem}</p></main>
}

function Frame({ meta, route }: { meta: Meta; route: Route }): JSX.Element {
  const isStale = live.liveness === 'stale'
  return (
    <div class={`app ${isStale ? 'stale' : ''}`}>
      <SkipLink />
      <aside class="side" aria-label="Dashboard">
        <div class="brand"><Logo />Quorate</div>
        <nav aria-label="Views">
          {NAV.map(([group, views]) => (
            <>
              <h2 id={`g-${group}`}>{group}</h2>
              <ul aria-labelledby={`g-${group}`}>
                {views.filter(([view]) => meta.views.includes(view)).map(([view, word, key, icon]) => (
                  <li>
                    <a href={href(view)} aria-current={route.view === view ? 'page' : undefined} title={`g ${key}`}>
                      <Icon path={icon} />{word}
                    </a>
                  </li>
                ))}
              </ul>
            </>
          ))}
        </nav>
        <div class="foot">
          {meta.can['node.write'] === true ? <p class="mode rw">Changes are on</p> : <p class="mode">Read-only</p>}
          <Theme />
        </div>
      </aside>
      <div>
        <Bar meta={meta} />
        <main id="main" tabIndex={-1}>
          {isStale ? (
            <div class="note warn" role="status">
              <b>Not live.</b> The connection was lost {duration(Date.now() - live.heardMs)} ago; this is how it
              was at{' '}
              {clock(live.heardMs)}.{' '}
              <button type="button" class="btn sm" onClick={() => live.open(0)}>Try now</button>
            </div>
          ) : null}
          <ViewOf meta={meta} route={route} />
        </main>
      </div>
    </div>
  )
}

function ViewOf({ meta, route: { view, path } }: { meta: Meta; route: Route }): JSX.Element {
  const { roots } = meta
  switch (view) {
    case 'overview':
      return <Overview />
    case 'sessions':
      return <Sessions />
    case 'events':
      return <Events />
    case 'locks':
      return <Locks path={path} roots={roots.locks} />
    case 'leaders':
      return <Leaders roots={roots.leaders} />
    case 'members':
      return <Members roots={roots.groups} />
    case 'config':
      return <Config path={path} roots={roots.config} />
    case 'services':
      return <Services roots={roots.services} />
    case 'tree':
      return <Tree path={path} meta={meta} />
  }
}

function Bar({ meta: { name, engine } }: { meta: Meta }): JSX.Element {
  const { answer } = useTopic('ensemble')
  const isLive = live.liveness === 'live'
  const { leader = null, epoch = null, zxid = null, voters = null, answering = 0 } = answer?.data ?? {}
  return (
    <header class="bar">
      <b>{name}</b>{engine === name ? null : <span class="tag">{engine}</span>}
      <span class="vital">
        {leader === null ? null : <span>leader <b>{leader}</b></span>}
        {epoch === null ? null : <span>epoch <b>{epoch}</b></span>}
        {zxid === null ? null : <span>zxid <code>{zxid}</code></span>}
        {voters === null ? null : <span><b>{answering}</b> of {voters} voters</span>}
      </span>
      <span class="live" role="status" aria-label={isLive ? 'Live' : 'Not live'}>
        <span class={`dot ${isLive ? '' : 'off'}`} />{WORDS[live.liveness]}
      </span>
    </header>
  )
}

function Theme(): JSX.Element {
  const [theme, setTheme] = useState(localStorage.getItem('quorate-theme') ?? 'system')
  useEffect(() => {
    if (theme === 'system') document.documentElement.removeAttribute('data-theme')
    else document.documentElement.dataset['theme'] = theme
    localStorage.setItem('quorate-theme', theme)
  }, [theme])
  return (
    <label>
      <span class="sr">Colours</span>
      <select class="field" value={theme} onChange={({ currentTarget }) => setTheme(currentTarget.value)}>
        <option value="system">Colours of the system</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  )
}

function SignIn({ onDone }: { onDone: () => void }): JSX.Element {
  const [token, setToken] = useState('')
  return (
    <main>
      <div class="head">
        <h1>This dashboard needs its token.</h1>
        <p>Whoever started it has it: it is in the address that was printed.</p>
      </div>
      <form class="row" onSubmit={(event) => {
        event.preventDefault()
        keepToken(token)
        onDone()
      }}>
        <label><span class="sr">Token</span>
          <input class="field" type="password" autocomplete="off" value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)} />
        </label>
        <button type="submit" class="btn pri">Sign in</button>
      </form>
    </main>
  )
}

function SkipLink(): JSX.Element {
  return (
    <a class="skip" href="#h1" onClick={(event) => {
      event.preventDefault()
      document.getElementById('h1')?.focus()
    }}>Skip to the view</a>
  )
}

function Icon({ path }: { path: string }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} fill="none" stroke="currentColor" stroke-width="1.4" />
    </svg>
  )
}

function Logo(): JSX.Element {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="var(--accent)" stroke-width="3">
      <path d="M5.5 18A9 9 0 0 1 6 5.3M9.5 3.4a9 9 0 0 1 9 2.3M20.6 9.5a9 9 0 0 1-2.2 8.8" stroke-linecap="round" />
      <circle cx="12" cy="12" r="3" fill="var(--accent)" stroke="none" />
    </svg>
  )
}

/** `g` and a letter goes to a view, `/` to the field that filters. */
function useKeys(): void {
  useEffect(() => {
    let isGoing = false
    const press = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return
      const view = isGoing ? NAV.flatMap(([, views]) => views).find(([, , key]) => key === event.key)?.[0] : undefined
      isGoing = event.key === 'g'
      if (view !== undefined) go(view)
      const field = event.key === '/' ? document.querySelector<HTMLElement>('[data-filter]') : null
      if (field !== null) {
        event.preventDefault()
        field.focus()
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

takeToken()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
