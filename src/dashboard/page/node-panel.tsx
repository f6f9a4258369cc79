/** A node: its data as text, JSON or hex, its stat, and how to change it. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Meta, TreeNode } from '../api.ts'
import { change, outcomeOf } from './calls.ts'
import { bytes, count, hexDump, linesOf, pretty } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Code, Panel, Session, Topic } from './parts.tsx'

type Form = 'JSON' | 'Text' | 'Hex'

export function NodePanel({ path, meta }: { path: string; meta: Meta }): JSX.Element {
  const shown = useTopic('node', `?path=${encodeURIComponent(path)}`)
  if (shown.failure?.code === 'NO_NODE') {
    const since = shown.answer === null ? '' : ' any more'
    return <Panel title={<code>{path}</code>}><p class="pad">There is no such node{since}.</p></Panel>
  }
  return <div><Topic shown={shown}>{({ data }) => <Node node={data} meta={meta} />}</Topic></div>
}

function Node({ node, meta }: { node: TreeNode; meta: Meta }): JSX.Element {
  const { path, stat, data } = node
  const json = data.encoding === 'utf8' && data.text !== '' ? pretty(data.text) : null
  const textForms: Form[] = data.encoding === 'utf8' ? ['Text'] : []
  const forms: Form[] = [...(json === null ? [] : ['JSON' as const]), ...textForms, 'Hex']
  const [chosen, setChosen] = useState<Form | null>(null)
  const [edited, setEdited] = useState<TreeNode | null>(null)
  const form = chosen !== null && forms.includes(chosen) ? chosen : (forms[0] ?? 'Hex')
  const can = meta.can['node.write']
  const canEdit = can === true && data.encoding === 'utf8' && data.cutAt === null
  const reason = can === true ? 'Only whole text can be edited here.' : can
  const tags = (
    <span class="row">
      {stat.ephemeralOwner === null ? <span class="tag">persistent</span> : <span class="tag vio">ephemeral</span>}
      <span class="tag acc">version {stat.version}</span>
      {forms.map((one) => (
        <button type="button" class="btn sm" aria-pressed={one === form} onClick={() => setChosen(one)}>{one}</button>
      ))}
      <button type="button" class="btn sm" aria-disabled={!canEdit} title={canEdit ? undefined : reason}
        onClick={() => { if (canEdit) setEdited(node) }}>
        Edit{canEdit ? '' : <span class="sr">, off: {reason}</span>}
      </button>
    </span>
  )
  return (
    <Panel title={<code>{path}</code>} end={tags}>
      {data.cutAt === null ? null : <p class="note warn">The first {bytes(data.cutAt)} of {bytes(stat.dataLength)}.</p>}
      <div class="split">
        {edited === null ? <Data node={node} form={form} json={json} /> : (
          <Editor key={path} seen={edited} there={node} onEnd={() => setEdited(null)} />
        )}
        <aside><Facts node={node} /></aside>
      </div>
    </Panel>
  )
}

function Data({ node: { path, data, stat }, form, json }: {
  node: TreeNode
  form: Form
  json: string | null
}): JSX.Element {
  if (stat.dataLength === 0) return <p class="pad q">It has no data.</p>
  const text = form === 'JSON' ? (json ?? data.text) : data.text
  const lines = form === 'Hex' ? hexDump(bytesOf(data)).map((line) => ({ text: line })) : linesOf(text)
  return <Code label={`Data of ${path} as ${form}`} lines={lines} />
}

function Facts({ node: { stat } }: { node: TreeNode }): JSX.Element {
  return (
    <dl class="kv">
      <dt>Created</dt><dd><code>{stat.czxid}</code><br /><Ago ms={stat.ctime} /></dd>
      <dt>Changed</dt><dd><code>{stat.mzxid}</code><br /><Ago ms={stat.mtime} /></dd>
      <dt>Children</dt><dd>{count(stat.numChildren)}, <code>{stat.pzxid}</code></dd>
      <dt>Version</dt><dd>{stat.version}</dd>
      <dt>Of children</dt><dd>{stat.cversion}</dd>
      <dt>Of access</dt><dd>{stat.aversion}</dd>
      <dt>Length</dt><dd>{bytes(stat.dataLength)}</dd>
      {stat.ephemeralOwner === null ? null : <><dt>Owner</dt><dd><Session id={stat.ephemeralOwner} /></dd></>}
    </dl>
  )
}

/** Writes only if the node is still the one that was seen when the edit began; the text stays if it is not. */
function Editor({ seen, there, onEnd }: { seen: TreeNode; there: TreeNode; onEnd: () => void }): JSX.Element {
  const [text, setText] = useState(seen.data.text)
  const [base, setBase] = useState(seen)
  const [told, setTold] = useState<string | null>(null)
  const hasChanged = there.stat.mzxid !== base.stat.mzxid
  const goOn = (from: string): void => {
    setBase(there)
    setText(from)
    setTold(null)
  }
  const write = async (): Promise<void> => {
    const { version, mzxid } = base.stat
    try {
      await change('PUT node', { path: base.path, data: text, encoding: 'utf8', seen: { version, mzxid } })
      onEnd()
    } catch (error) {
      setTold(outcomeOf(error))
    }
  }
  return (
    <form class="pad" onSubmit={(event) => { event.preventDefault(); void write() }}>
      {told === null ? null : <p class="note bad" role="alert">{told}</p>}
      {hasChanged ? (
        <p class="note warn" role="status">
          Somebody changed this node to version {there.stat.version}. Your text is still here.{' '}
          <button type="button" class="btn sm" onClick={() => goOn(text)}>
            Go on from version {there.stat.version}
          </button>{' '}
          <button type="button" class="btn sm" onClick={() => goOn(there.data.text)}>Take theirs</button>
        </p>
      ) : null}
      <label><span class="sr">New data of {base.path}</span>
        <textarea class="field" spellcheck={false} value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)} />
      </label>
      <p class="q">Written only if the version is still {base.stat.version}.</p>
      <div class="row">
        <button type="submit" class="btn pri">Write</button>
        <button type="button" class="btn" onClick={onEnd}>Cancel</button>
      </div>
    </form>
  )
}

function bytesOf({ encoding, text }: TreeNode['data']): Uint8Array {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
