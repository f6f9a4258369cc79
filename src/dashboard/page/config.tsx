/** Was it the configuration, and what did it say before? */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ConfigDetail, ConfigKey, Meta, Release } from '../api.ts'
import { change, outcomeOf } from './calls.ts'
import { bytes, counted, diff, linesOf, moment, pretty } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Code, Empty, Head, Panel, Topic, Untold } from './parts.tsx'
import { href } from './route.ts'

export function Config({ path, meta }: { path: string | null; meta: Meta }): JSX.Element {
  const shown = useTopic('config')
  const roots = meta.roots.config
  return (
    <Topic shown={shown}>
      {({ data }) => {
        const [first] = data
        const selected = path ?? first?.path
        if (first === undefined || selected === undefined) {
          return (
            <>
              <Head more={`Below ${roots.join(', ')}.`}>No configuration.</Head>
              <Empty title="No configuration" text="Values that ConfigCenter or ConfigTree wrote appear here."
                code={`npx quorate config set /config/a '{"on": true}'`} />
            </>
          )
        }
        return (
          <>
            <Head more={`Below ${roots.join(', ')}.`}>{counted(data.length, 'value')} in force; {newest(data)}.</Head>
            <div class="three">
              <Panel title="Keys">
                <ul class="list">
                  {data.map((key) => (
                    <li key={key.path} class={key.path === selected ? 'on' : ''}>
                      <a class="mono grow" href={href('config', key.path)}
                        aria-current={key.path === selected ? 'true' : undefined}>{key.path}</a>
                      <span class="t">v{key.version}</span>
                    </li>
                  ))}
                </ul>
              </Panel>
              <Detail key={selected} path={selected} can={meta.can['config.rollback']} />
            </div>
          </>
        )
      }}
    </Topic>
  )
}

function newest(keys: readonly ConfigKey[]): JSX.Element {
  const last = keys.reduce((latest, key) => (key.changedMs > latest.changedMs ? key : latest))
  return <>{last.path} changed last, <Ago ms={last.changedMs} /></>
}

function Detail({ path, can }: { path: string; can: true | string }): JSX.Element {
  const shown = useTopic('release', `?path=${encodeURIComponent(path)}`)
  const [compared, setCompared] = useState<number | null>(null)
  const [target, setTarget] = useState<Target | null>(null)
  const { answer, failure } = shown
  if (answer === null) return <p class="q">{failure === null ? 'Reading…' : failure.message}</p>
  const { data } = answer
  const older = data.history.find(({ version }) => version !== null && version === compared)
  return (
    <>
      {(older?.value ?? null) === null || older === undefined ? <Value detail={data} /> : (
        <Compared detail={data} older={older} onEnd={() => setCompared(null)} />
      )}
      {target === null ? null : <RollBack key={target.version} target={target} onEnd={() => setTarget(null)} />}
      <Panel title="History" more={counted(data.history.length, 'value')}>
        <Untold answer={answer} names={['history']} />
        <ol class="list" aria-label={`History of ${path}, newest first`}>
          {data.history.map((release) => (
            <ReleaseRow key={release.version ?? 'now'} release={release} isCompared={release === older}
              onCompare={() => setCompared(release === older ? null : release.version)} can={can}
              onRollBack={(version) => setTarget({ detail: data, version })} />
          ))}
        </ol>
      </Panel>
    </>
  )
}

/** A version to go back to, and the value that is to be replaced. */
interface Target {
  readonly detail: ConfigDetail
  readonly version: number
}

/** Writes only if the value is still the one that was seen when this was opened. */
function RollBack({ target: { detail, version }, onEnd }: { target: Target; onEnd: () => void }): JSX.Element {
  const { path, mzxid } = detail
  const [author, setAuthor] = useState('')
  const [comment, setComment] = useState('')
  const [told, setTold] = useState<string | null>(null)
  const write = async (): Promise<void> => {
    try {
      await change('POST rollback', { path, version, author, comment, seen: { version: detail.version, mzxid } })
      onEnd()
    } catch (error) {
      setTold(outcomeOf(error))
    }
  }
  return (
    <Panel title={`Roll ${path} back to version ${version}`}>
      <form class="pad" onSubmit={(event) => { event.preventDefault(); void write() }}>
        {told === null ? null : <p class="note bad" role="alert">{told}</p>}
        <p>Its value is written again as a new version, and goes to all processes at once. Nothing is deleted.</p>
        <div class="row">
          <label>Who <input class="field" value={author} maxLength={256}
            onInput={({ currentTarget }) => setAuthor(currentTarget.value)} /></label>
          <label>Why <input class="field" value={comment} maxLength={1_024}
            onInput={({ currentTarget }) => setComment(currentTarget.value)} /></label>
          <button type="submit" class="btn pri">Roll back</button>
          <button type="button" class="btn" onClick={onEnd}>Cancel</button>
        </div>
      </form>
    </Panel>
  )
}

function ReleaseRow({ release, isCompared, onCompare, can, onRollBack }: {
  release: Release
  isCompared: boolean
  onCompare: () => void
  can: true | string
  onRollBack: (version: number) => void
}): JSX.Element {
  const { version, ms, by, note, kind, isInForce, value, of } = release
  return (
    <li>
      <b>{version === null ? '–' : `v${version}`}</b>
      <span class="grow">
        {by ?? <span class="t">not recorded</span>} {isInForce ? <span class="tag ok">in force</span> : null}
        {kind === 'rollback' ? <span class="tag">value of v{of}</span> : null}
        <small>{moment(ms)}{note === null ? '' : ` · ${note}`}</small>
      </span>
      {isInForce || value === null || version === null ? null : (
        <>
          <button type="button" class="btn sm" aria-pressed={isCompared} onClick={onCompare}
            aria-label={`Compare version ${version} with the value in force`}>
            Compare
          </button>
          <button type="button" class="btn sm" aria-disabled={can !== true} title={can === true ? undefined : can}
            aria-label={`Roll back to version ${version}${can === true ? '' : `, off: ${can}`}`}
            onClick={() => { if (can === true) onRollBack(version) }}>
            Roll back…
          </button>
        </>
      )}
    </li>
  )
}

function Value({ detail: { path, value, version } }: { detail: ConfigDetail }): JSX.Element {
  const text = pretty(value) ?? value
  return (
    <Panel title={<code>{path}</code>} more={`version ${version} of its node, ${bytes(value.length)}`}
      end={<span class="tag ok">in force</span>}>
      <Code label={`Value of ${path}`} lines={linesOf(text)} />
    </Panel>
  )
}

function Compared({ detail, older, onEnd }: { detail: ConfigDetail; older: Release; onEnd: () => void }): JSX.Element {
  const [before, after] = [older.value ?? '', detail.value].map((text) => pretty(text) ?? text)
  const end = <button type="button" class="btn sm" onClick={onEnd}>Whole value</button>
  return (
    <Panel title="What changes" more={`${detail.path}: v${older.version} → in force`} end={end}>
      <Code label={`Version ${older.version} of ${detail.path} compared with the value in force`}
        lines={diff(before ?? '', after ?? '')} />
    </Panel>
  )
}
