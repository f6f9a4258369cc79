/** Who holds it, who waits, and can it go on? */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Contender, Lock, WaitFor } from '../api.ts'
import { count, counted, duration } from './format.ts'
import { nowMs, useTopic } from './live.ts'
import { Columns, Empty, Head, Panel, Says, Session, Topic } from './parts.tsx'
import { href } from './route.ts'

const HELD_MS_LONG = 60_000

export function Locks({ path, roots }: { path: string | null; roots: readonly string[] }): JSX.Element {
  const shown = useTopic('locks')
  const waits = useTopic('wait-for')
  return (
    <Topic shown={shown}>
      {({ data }) => data.length === 0 && path === null ? (
        <>
          <Head more={`Below ${roots.join(', ')}.`}>Nobody holds or waits for a lock.</Head>
          <Empty title="Nobody holds or waits for a lock" text="Locks appear here while they are held or waited for."
            code="await using lease = await new FairLock(client, '/locks/a').acquire()" />
        </>
      ) : (
        <>
          <Head more={`Below ${roots.join(', ')}. A lock that nobody holds or waits for is not listed.`}>
            {sentence(data, waits.answer?.data ?? null)}
          </Head>
          <div class="two">
            <div>
              <LockTable locks={data} path={path} />
              <Topic shown={waits}>{(answer) => <Waits waits={answer.data} />}</Topic>
            </div>
            {path === null ? <p class="q">Select a lock to see its queue.</p> : <Queue key={path} path={path} />}
          </div>
        </>
      )}
    </Topic>
  )
}

function sentence(locks: readonly Lock[], waits: WaitFor | null): string {
  const waiting = locks.reduce((sum, lock) => sum + lock.waiting, 0)
  const ring = waits?.rings[0]
  if (ring !== undefined) {
    return `${counted(ring.length, 'session')} may wait for each other; ${count(waiting)} wait in all.`
  }
  const [most] = locks
  const inUse = `${counted(locks.length, 'lock')} in use`
  if (most === undefined || waiting === 0) return `${inUse}; nobody waits.`
  const since = most.waitsSinceMs === null ? '' : `, the first for ${duration(nowMs() - most.waitsSinceMs)}`
  return `${inUse}; ${count(most.waiting)} ${most.waiting === 1 ? 'waits' : 'wait'} for ${most.path}${since}.`
}

function LockTable({ locks, path }: { locks: readonly Lock[]; path: string | null }): JSX.Element {
  const [filter, setFilter] = useState('')
  const rows = locks.filter((lock) => lock.path.includes(filter))
  const field = (
    <label class="grow r">
      <span class="sr">Filter locks by path</span>
      <input class="field" data-filter style={{ width: '150px' }} placeholder="Filter" value={filter}
        onInput={({ currentTarget }) => setFilter(currentTarget.value)} />
    </label>
  )
  return (
    <Panel title="In use" more={`${count(rows.length)} of ${count(locks.length)}, most waited for first`} end={field}>
      <div class="scroll" tabIndex={0} role="region" aria-label="Locks in use">
        <table>
          <caption class="sr">Locks in use</caption>
          <Columns names={['Path', 'Kind', 'Held by']} right={['Held for', 'Waiting', 'First waits']} />
          <tbody>
            {rows.slice(0, 500).map((lock) => <LockRow key={lock.path} lock={lock} isOn={lock.path === path} />)}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function LockRow({ lock, isOn }: { lock: Lock; isOn: boolean }): JSX.Element {
  const { path, kind, holders, held, waiting, waitsSinceMs } = lock
  const [first] = holders
  const heldMs = first === undefined ? null : nowMs() - first.sinceMs
  const isLong = heldMs !== null && heldMs > HELD_MS_LONG
  const many = held > 1 ? `${count(held)} ${kind === 'semaphore' ? 'permits' : 'readers'}` : null
  const says = first === undefined ? 'nobody' : first.says === '' ? first.session : first.says
  return (
    <tr class={isOn ? 'on' : ''} data-lock={path}>
      <th scope="row">
        <a class="mono" href={href('locks', path)} aria-current={isOn ? 'true' : undefined}>{path}</a>
      </th>
      <td>{kind}</td>
      <td class="says">{many ?? <Says text={says} />}</td>
      <td class="r">{heldMs === null ? '–' : duration(heldMs)}</td>
      <td class="r">{waiting === 0 ? '0' : <span class={isLong ? 'tag warn' : 'tag'}>{count(waiting)}</span>}</td>
      <td class="r">{waitsSinceMs === null ? '–' : duration(nowMs() - waitsSinceMs)}</td>
    </tr>
  )
}

function Queue({ path }: { path: string }): JSX.Element {
  const shown = useTopic('lock', `?path=${encodeURIComponent(path)}`)
  if (shown.failure?.code === 'NO_NODE') {
    return <Panel title={<code>{path}</code>}><p class="pad q">Nobody holds it or waits for it now.</p></Panel>
  }
  return (
    <Topic shown={shown}>
      {({ data, total }) => (
        <Panel title={<code>{path}</code>} end={<span class="tag">{data.kind}</span>}>
          <p class="pad q">
            {data.waiting === 0 ? 'Nobody waits.' : `${counted(data.waiting, 'contender waits', 'contenders wait')}.`}
          </p>
          <ol class="list" aria-label={`Queue of ${path}, in order of asking`}>
            {data.queue.map((contender) => <Place key={contender.path} contender={contender} />)}
          </ol>
          {total !== null && total > data.queue.length ? (
            <p class="pad q">The first {count(data.queue.length)} of {count(total)}.</p>
          ) : null}
          <p class="pad"><a href={href('tree', path)}>Open in the tree</a></p>
        </Panel>
      )}
    </Topic>
  )
}

function Place({ contender }: { contender: Contender }): JSX.Element {
  const { position, state, kind, says, session, sinceMs, token } = contender
  const isHeld = state === 'held'
  return (
    <li class={isHeld ? 'on' : ''}>
      <span class="pos">{isHeld ? <span title="holds">●</span> : position}</span>
      <span class="grow">
        <b><Says text={says} /></b>
        <small>{kind}, session <Session id={session} />{isHeld ? <>, token <code>{token}</code></> : null}</small>
      </span>
      <span class="q">{isHeld ? 'held' : 'waits'} {duration(nowMs() - sinceMs)}</span>
    </li>
  )
}

/** Holders that also wait, as sentences: they are the text of the graph. */
function Waits({ waits: { waits, rings } }: { waits: WaitFor }): JSX.Element | null {
  if (waits.length === 0) return null
  const inRing = new Set(rings.flat())
  return (
    <Panel title="Who waits for whom" more="holders that also wait">
      {rings.map((ring) => (
        <p class="pad">
          <span class="tag warn">possible deadlock</span> {ring.join(' → ')} → {ring[0]}. Two tasks of one process
          look like one session here. Taking locks in one order prevents it.
        </p>
      ))}
      <ul class="list">
        {waits.map(({ session, says, holds, waitsFor, heldBy }) => (
          <li class={inRing.has(session) ? 'on' : ''}>
            <span class="grow">
              <b>{says === '' ? session : says}</b> holds {holds.map((one) => <code>{one} </code>)} and waits for{' '}
              <code>{waitsFor}</code>, held by{' '}
              {heldBy.length === 0 ? 'nobody' : heldBy.map((one) => <><Session id={one} /> </>)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
