/** Which events led to this? */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { clock, count } from './format.ts'
import { useTopic } from './live.ts'
import { Empty, Head, Panel, Topic } from './parts.tsx'

const SHOWN_MAX = 200

export function Events(): JSX.Element {
  const shown = useTopic('events')
  const [held, setHeld] = useState<number | null>(null)
  return (
    <Topic shown={shown}>
      {({ data }) => {
        if (data.length === 0) {
          return (
            <>
              <Head>Events, newest first.</Head>
              <Empty title="Nothing has happened yet" text="Events appear as the servers tell of them." />
            </>
          )
        }
        const events = held === null ? data : data.filter(({ id }) => id <= held)
        const fresh = data.length - events.length
        return (
          <>
            <Head more="Since this dashboard looks; the newest 1,000 are kept.">Events, newest first.</Head>
            <Panel
              title={`${count(data.length)} events`}
              end={
                <button type="button" class="btn sm" aria-pressed={held !== null}
                  onClick={() => setHeld(held === null ? (data[0]?.id ?? 0) : null)}>
                  {held === null ? 'Pause' : fresh === 0 ? 'Paused' : `${count(fresh)} new`}
                </button>
              }
            >
              <ol class="list log" aria-label="Events">
                {events.slice(0, SHOWN_MAX).map(({ id, ms, kind, level, text }) => (
                  <li key={id} class={level}>
                    <code class="t">{clock(ms)}</code>
                    <span class={`tag ${level === 'info' ? '' : level}`}>{kind}</span>
                    <span class="grow">{text}</span>
                  </li>
                ))}
              </ol>
              {events.length > SHOWN_MAX ? <p class="pad q">{SHOWN_MAX} of {count(events.length)}</p> : null}
            </Panel>
          </>
        )
      }}
    </Topic>
  )
}
