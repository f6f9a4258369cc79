/** Was it the configuration, and what did it say before? */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ConfigDetail, ConfigKey, Release } from '../api.ts'
import { bytes, counted, diff, linesOf, moment, pretty } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Code, Empty, Head, Panel, Topic, Untold } from './parts.tsx'
import { href } from './route.ts'

export function Config({ path, roots }: { path: string | null; roots: readonly string[] }): JSX.Element {
  const shown = useTopic('config')
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
              <Detail key={selected} path={selected} />
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

function Detail({ path }: { path: string }): JSX.Element {
  const shown = useTopic('release', `?path=${encodeURIComponent(path)}`)
  const [compared, setCompared] = useState<number | null>(null)
  const { answer, failure } = shown
  if (answer === null) return <p class="q">{failure === null ? 'Reading…' : failure.message}</p>
  const { data } = answer
  const older = data.history.find(({ version }) => version !== null && version === compared)
  return (
    <>
      {(older?.value ?? null) === null || older === undefined ? <Value detail={data} /> : (
        <Compared detail={data} older={older} onEnd={() => setCompared(null)} />
      )}
      <Panel title="History" more={counted(data.history.length, 'value')}>
        <Untold answer={answer} names={['history']} />
        <ol class="list" aria-label={`History of ${path}, newest first`}>
          {data.history.map((release) => (
            <ReleaseRow key={release.version ?? 'now'} release={release} isCompared={release === older}
              onCompare={() => setCompared(release === older ? null : release.version)} />
          ))}
        </ol>
      </Panel>
    </>
  )
}

function ReleaseRow({ release, isCompared, onCompare }: {
  release: Release
  isCompared: boolean
  onCompare: () => void
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
        <button type="button" class="btn sm" aria-pressed={isCompared} onClick={onCompare}
          aria-label={`Compare version ${version} with the value in force`}>
          Compare
        </button>
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
