/** Parts of all views. Data of a node are always the child of an element, which makes them text. */
import type { ComponentChildren, JSX } from 'preact'
import type { Answer, SessionId } from '../api.ts'
import type { Shown } from './live.ts'
import { nowMs } from './live.ts'
import { ago, clock, moment } from './format.ts'

/** The sentence that answers the question of a view. */
export function Head({ children, more }: { children: ComponentChildren; more?: ComponentChildren }): JSX.Element {
  return (
    <div class="head">
      <h1 id="h1" tabIndex={-1}>{children}</h1>
      {more === undefined ? null : <p>{more}</p>}
    </div>
  )
}

/** A panel with its heading. */
export function Panel({ title, more, end, children }: {
  title: ComponentChildren
  more?: ComponentChildren
  end?: ComponentChildren
  children: ComponentChildren
}): JSX.Element {
  return (
    <section class="panel">
      <header><h2>{title}</h2>{more === undefined ? null : <span class="q">{more}</span>}{end}</header>
      {children}
    </section>
  )
}

/** The panel of an empty view, with the line of code that fills it. */
export function Empty({ title, text, code }: { title: string; text: string; code?: string }): JSX.Element {
  return (
    <section class="panel empty">
      <h2>{title}</h2>
      <p>{text}</p>
      {code === undefined ? null : <pre>{code}</pre>}
    </section>
  )
}

/** Shows a topic in whatever state it is. */
export function Topic<T>({ shown, children }: {
  shown: Shown<T>
  children: (answer: Answer<T>) => ComponentChildren
}): JSX.Element {
  const { answer, failure } = shown
  if (answer === null && failure === null) return <Reading />
  return (
    <>
      {failure === null ? null : (
        <div class="note bad" role="status">
          <b>This cannot be read{answer === null ? '' : ` now; it is how it was at ${clock(answer.asOfMs)}`}.</b>
          {' '}{failure.message} <span class="q">{failure.code}, {failure.outcome}</span>
        </div>
      )}
      {answer === null ? <Head>This cannot be read.</Head> : children(answer)}
      {answer === null ? null : <Untold answer={answer} names={['all', 'locks']} />}
    </>
  )
}

/** The reasons for fields that were left out. */
export function Untold({ answer, names }: { answer: Answer<unknown>; names: readonly string[] }): JSX.Element | null {
  const told = names.flatMap((name) => answer.untold[name] ?? [])
  return told.length === 0 ? null : <p class="note warn">{told.join(' ')}</p>
}

function Reading(): JSX.Element {
  return (
    <div aria-busy="true">
      <Head>Reading…</Head>
      <section class="panel bars">{[88, 72, 80, 64].map((width) => <span style={{ width: `${width}%` }} />)}</section>
    </div>
  )
}

/** The heads of a table's columns. */
export function Columns({ names, right = [] }: { names: readonly string[]; right?: readonly string[] }): JSX.Element {
  return (
    <thead>
      <tr>
        {names.map((name) => <th scope="col">{name}</th>)}
        {right.map((name) => <th scope="col" class="r">{name}</th>)}
      </tr>
    </thead>
  )
}

/** How long ago, and when. */
export function Ago({ ms }: { ms: number }): JSX.Element {
  return <time dateTime={new Date(ms).toISOString()} title={moment(ms)}>{ago(ms, nowMs())}</time>
}

/** A session. */
export function Session({ id }: { id: SessionId }): JSX.Element {
  return <code title="session">{id}</code>
}

/** The data of a contender or a member, as text. */
export function Says({ text }: { text: string }): JSX.Element {
  return text === '' ? <span class="t">says nothing</span> : <span title={text}>{text}</span>
}

/** A value, or a dash with the reason. */
export function Told({ value, why }: { value: ComponentChildren; why: string | undefined }): JSX.Element {
  if (value !== null && value !== undefined) return <>{value}</>
  const reason = why ?? 'not told'
  return <span class="t" title={reason}>–<span class="sr"> {reason}</span></span>
}

/** Text in numbered lines. */
export function Code({ lines, label }: {
  lines: readonly { readonly text: string; readonly is?: 'same' | 'add' | 'del' }[]
  label: string
}): JSX.Element {
  const signs = { same: '', add: '+', del: '−' } as const
  return (
    <div class="code" tabIndex={0} role="region" aria-label={label}>
      {lines.map(({ text, is = 'same' }, index) => (
        <div class={is}><i aria-hidden="true">{index + 1}</i><u>{signs[is]}</u><span>{text}</span></div>
      ))}
    </div>
  )
}
