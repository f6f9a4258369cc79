/** The panels beside the drawing: clients, the account, and the latest events. */
import { h } from 'vue'
import type { VNode } from 'vue'
import type { Numbers } from './numbers.ts'
import type { StageView } from './stage.ts'

const NOT_HERE = ['A', 'B'].map((name) => ({ name, activity: 'is not here yet', token: null }))

/** The clients, and the account that they write to. */
export function clientsAndAccount({ clients, account }: StageView, numbers: Numbers): VNode {
  const shown = clients.length > 0 ? clients : NOT_HERE
  return h('div', { class: 'demo-side' }, [
    ...shown.map(({ name, activity, token }) =>
      h('div', { class: ['demo-client', { holds: token !== null, still: activity === 'stands still' }] }, [
        h('b', `Client ${name} `),
        h('span', { class: 'demo-activity' }, activity),
        token === null ? null : tokenOf(token, numbers),
      ])),
    h('dl', { class: ['demo-account', { bad: account.lost > 0 }] }, [
      ...term('Account', account.balance),
      ...term('Last token', numbers.token(account.lastToken)),
      ...term('Written', account.written),
      ...term('Refused', account.refused),
      ...term('Lost', account.lost),
    ]),
    account.lost > 0
      ? h('p', { class: 'demo-accident' }, 'A lock without fencing protects nothing from a process that was paused.')
      : null,
  ])
}

function tokenOf(token: bigint, numbers: Numbers): VNode {
  return h('span', { class: 'demo-token', title: String(token) }, ` token ${numbers.token(token)}`)
}

function term(name: string, value: unknown): VNode[] {
  return [h('div', [h('dt', name), h('dd', String(value))])]
}

/** The latest events. */
export function eventsOf({ events }: StageView): VNode {
  const items = events.map(({ id, text, isBad }) => h('li', { key: id, class: { bad: isBad } }, text))
  return h('ol', { class: 'demo-events', 'aria-label': 'The latest events, newest first' }, items)
}
