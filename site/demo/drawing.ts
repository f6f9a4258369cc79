/** The drawing of the demonstration: servers in a ring, and who leads whom. */
import { h } from 'vue'
import type { VNode } from 'vue'
import type { ServerView } from './messages.ts'
import type { Numbers } from './numbers.ts'
import type { StageView } from './stage.ts'

const SIZE = { width: 320, height: 210 }
const PLACES: readonly { readonly x: number; readonly y: number }[] = [
  { x: 160, y: 48 },
  { x: 264, y: 158 },
  { x: 56, y: 158 },
]
const RADIUS = 30

const MARKS: Readonly<Record<ServerView['role'], string>> = {
  LEADING: '▲',
  FOLLOWING: '●',
  OBSERVING: '○',
  LOOKING: '◇',
  DOWN: '✕',
}

const ROLES: Readonly<Record<ServerView['role'], string>> = {
  LEADING: 'leads',
  FOLLOWING: 'follows',
  OBSERVING: 'observes',
  LOOKING: 'votes',
  DOWN: 'crashed',
}

/** Draws the servers; who cannot see it reads the sentence. */
export function drawing({ servers }: StageView, sentence: string, numbers: Numbers): VNode {
  const shown = servers.length > 0 ? servers : PLACES.map((_, index) => startingServer(index + 1))
  const parts = [...links(shown), ...shown.map((one) => server(one, numbers.epoch(one.epoch)))]
  const viewBox = `0 0 ${SIZE.width} ${SIZE.height}`
  return h('svg', { class: 'demo-ring', viewBox, role: 'img', 'aria-label': sentence }, parts)
}

function startingServer(id: number): ServerView {
  return { id, role: 'LOOKING', serving: false, epoch: 0, isCutOff: false }
}

function links(servers: readonly ServerView[]): VNode[] {
  return servers.flatMap((one, index) => servers.slice(index + 1).map((other) => {
    const isBroken = one.isCutOff !== other.isCutOff || one.role === 'DOWN' || other.role === 'DOWN'
    const leads = !isBroken && [one, other].some(({ role, serving }) => role === 'LEADING' && serving)
    const from = PLACES[one.id - 1] ?? PLACES[0]
    const to = PLACES[other.id - 1] ?? PLACES[0]
    return h('line', {
      class: ['demo-link', { broken: isBroken, leads }],
      x1: from?.x,
      y1: from?.y,
      x2: to?.x,
      y2: to?.y,
    })
  }))
}

function server({ id, role, serving, isCutOff }: ServerView, epoch: string): VNode {
  const { x, y } = PLACES[id - 1] ?? { x: 0, y: 0 }
  const state = `${ROLES[role]}${isCutOff ? ', cut off' : ''}`
  return h('g', { class: ['demo-server', role.toLowerCase(), { serving }] }, [
    h('circle', { cx: x, cy: y, r: RADIUS }),
    h('text', { x, y: y - 6, class: 'demo-server-name' }, `${MARKS[role]} ${id}`),
    h('text', { x, y: y + 11, class: 'demo-server-epoch' }, role === 'DOWN' ? '' : `epoch ${epoch}`),
    h('text', { x, y: y + RADIUS + 15, class: 'demo-server-role' }, state),
  ])
}
