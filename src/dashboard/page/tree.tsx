/** Is my node there, and what is in it? Names are read as they are opened; nothing is read below what is seen. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Child, Meta } from '../api.ts'
import { count } from './format.ts'
import { useTopic } from './live.ts'
import { Head } from './parts.tsx'
import { NodePanel } from './node-panel.tsx'
import { go } from './route.ts'

/** The most levels that are open at a time; the oldest is closed when there would be more. */
const OPEN_MAX = 24

/** The state that all rows of the tree share. */
interface TreeState {
  readonly selected: string
  readonly prefix: string
  readonly open: ReadonlySet<string>
  readonly toggle: (path: string, isOpen: boolean) => void
}

export function Tree({ path, meta }: { path: string | null; meta: Meta }): JSX.Element {
  const selected = path ?? '/'
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(wayTo(selected)))
  const [prefix, setPrefix] = useState('')
  const toggle = (one: string, isOpen: boolean): void => {
    setOpen((before) => {
      const next = [...before].filter((other) => other !== one)
      return new Set((isOpen ? [...next, one] : next).slice(-OPEN_MAX))
    })
  }
  useEffect(() => {
    setOpen((before) => new Set([...before, ...wayTo(selected).slice(0, -1)].slice(-OPEN_MAX)))
  }, [selected])
  const rows = { selected, prefix, open, toggle }
  return (
    <>
      <Head more="Names are read as you open them; nothing is read below what you see."><code>{selected}</code></Head>
      <div class="tree-view">
        <section class="panel">
          <div class="pad"><PathField selected={selected} onPrefix={setPrefix} /></div>
          <ul class="tree" role="tree" aria-label="Nodes" onKeyDown={moveByKey}>
            <Row path="/" name="/" depth={1} child={null} tree={rows} />
          </ul>
        </section>
        <NodePanel key={selected} path={selected} meta={meta} />
      </div>
    </>
  )
}

function PathField({ selected, onPrefix }: { selected: string; onPrefix: (prefix: string) => void }): JSX.Element {
  const [text, setText] = useState('')
  const isPath = text.startsWith('/')
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      if (isPath) go('tree', text === '/' ? '/' : text.replace(/\/+$/, ''))
    }}>
      <label>
        <span class="sr">Go to a path, or show the names below {selected} that begin with this text</span>
        <input class="field mono" data-filter placeholder="/path, or beginning of names" value={text}
          onInput={({ currentTarget: { value } }) => {
            setText(value)
            onPrefix(value.startsWith('/') ? '' : value)
          }} />
      </label>
    </form>
  )
}

function Row({ path, name, depth, child, tree }: {
  path: string
  name: string
  depth: number
  child: Child | null
  tree: TreeState
}): JSX.Element {
  const isOpen = tree.open.has(path)
  const isSelected = tree.selected === path
  const children = child?.children ?? null
  const isLeaf = children === 0
  const item = (
    <li role="treeitem" aria-level={depth} aria-selected={isSelected} aria-expanded={isLeaf ? undefined : isOpen}
      data-path={path} tabIndex={isSelected ? 0 : -1}
      onClick={() => {
        // A second look at what is selected opens it or closes it.
        if (isSelected || !isOpen) tree.toggle(path, !isOpen && !isLeaf)
        go('tree', path)
      }}>
      <div style={{ paddingLeft: `${8 + (depth - 1) * 15}px` }}>
        <span class="twist" aria-hidden="true">{isLeaf ? '' : isOpen ? '▼' : '▶'}</span>
        <span class={child?.isEphemeral === true ? 'eph' : ''}>{name}</span>
        {child?.isEphemeral === true ? <span class="sr">, ephemeral</span> : null}
        {children === null || isLeaf ? null : (
          <span class="n">{count(children)}<span class="sr"> children</span></span>
        )}
      </div>
    </li>
  )
  // Screen readers get levels by numbers: an item that held those below it would be called by all of their names.
  return <>{item}{isOpen && !isLeaf ? <Level path={path} depth={depth + 1} tree={tree} /> : null}</>
}

function Level({ path, depth, tree }: { path: string; depth: number; tree: TreeState }): JSX.Element | null {
  const [after, setAfter] = useState<string | null>(null)
  const prefix = tree.selected === path ? tree.prefix : ''
  const query = new URLSearchParams({ path, stat: '1', prefix, ...(after === null ? {} : { after }) })
  const { answer, failure } = useTopic('children', `?${query.toString()}`)
  if (answer === null) {
    return failure === null ? null : <li role="treeitem" aria-level={depth} class="more">{failure.message}</li>
  }
  const { data, next, total } = answer
  const isPart = after !== null || next !== null || prefix !== ''
  return (
    <>
      {data.map((child) => {
        const own = path === '/' ? `/${child.name}` : `${path}/${child.name}`
        return <Row key={own} path={own} name={child.name} depth={depth} child={child} tree={tree} />
      })}
      {isPart ? (
        <li role="treeitem" aria-level={depth} tabIndex={-1} class="more row">
          {count(data.length)} of {count(total ?? data.length)}
          {prefix === '' ? '' : ` that begin with ${prefix}`}, by name
          {after === null ? null : <PageButton word="First" onPress={() => setAfter(null)} />}
          {next === null ? null : <PageButton word="Next" onPress={() => setAfter(next)} />}
        </li>
      ) : null}
    </>
  )
}

/** Turns over the children of a node. */
function PageButton({ word, onPress }: { word: string; onPress: () => void }): JSX.Element {
  return (
    <button type="button" class="btn sm" onClick={onPress}>{word}</button>
  )
}

/** The keys of a tree: up and down, right opens, left closes or goes to the parent, Enter selects. */
function moveByKey(event: KeyboardEvent): void {
  const tree = event.currentTarget as HTMLElement
  const items = [...tree.querySelectorAll<HTMLElement>('[role=treeitem]')]
  const at = items.findIndex((item) => item === document.activeElement)
  const item = items[at]
  if (item === undefined) return
  const expanded = item.getAttribute('aria-expanded')
  const to = {
    ArrowDown: items[at + 1],
    ArrowUp: items[at - 1],
    Home: items[0],
    End: items.at(-1),
    ArrowLeft: expanded === 'true' ? item : items.slice(0, at).findLast((one) => levelOf(one) < levelOf(item)),
    ArrowRight: expanded === 'true' ? items[at + 1] : item,
    Enter: item,
    ' ': item,
  }[event.key]
  if (to === undefined) return
  event.preventDefault()
  const opens = event.key === 'ArrowRight' && expanded === 'false'
  const closes = event.key === 'ArrowLeft' && expanded === 'true'
  const acts = event.key === 'Enter' || event.key === ' ' || opens || closes
  if (acts) item.click()
  for (const other of items) other.tabIndex = other === to ? 0 : -1
  to.focus()
}

function levelOf(item: HTMLElement): number {
  return Number(item.getAttribute('aria-level'))
}

/** The nodes from the root to a path, which have to be open for it to be seen; itself the last. */
function wayTo(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '')
  return ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)]
}
