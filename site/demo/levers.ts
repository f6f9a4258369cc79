/** The levers of the demonstration: what a reader can do to the servers and to a client. */
import { h } from 'vue'
import type { VNode } from 'vue'
import type { Lever } from './messages.ts'
import type { StageView } from './stage.ts'

/** A lever, as it is shown. */
export interface LeverView {
  readonly text: string
  readonly help: string
  readonly lever: Lever | 'pause'
  readonly isOff: boolean
}

/** The levers; those that would do nothing are off. */
export function leversOf({ servers, clients }: StageView, runs: boolean): LeverView[] {
  const leader = servers.find(({ role }) => role === 'LEADING')
  const second = servers.find(({ id }) => id === 2)
  const isCut = servers.some(({ isCutOff }) => isCutOff)
  const isPaused = clients.some(({ activity }) => activity === 'stands still')
  return [
    {
      text: 'Crash the leader',
      help: 'Clients wait for some two seconds',
      lever: { type: 'crash', server: leader?.id ?? 0 },
      isOff: !runs || leader === undefined,
    },
    {
      text: 'Cut off server 2',
      help: 'It serves nothing that could be wrong',
      lever: { type: 'cut', server: 2 },
      isOff: !runs || isCut || second?.role === 'DOWN',
    },
    {
      text: 'Pause client A',
      help: 'It stands still in its work, and writes late',
      lever: 'pause',
      isOff: !runs || isPaused,
    },
    { text: 'Heal', help: 'All servers reach each other', lever: { type: 'heal' }, isOff: !runs || !isCut },
    {
      text: 'Start again',
      help: 'Starts the servers that have crashed',
      lever: { type: 'restart' },
      isOff: !runs || servers.every(({ role }) => role !== 'DOWN'),
    },
  ]
}

/** A button; one that is off stays in the order of the keyboard. */
export function button(text: string, help: string, press: () => void, isOff = false): VNode {
  return h(
    'button',
    { type: 'button', class: 'demo-button', 'aria-disabled': isOff, onClick: () => (isOff ? undefined : press()) },
    [h('span', { class: 'demo-button-text' }, text), h('span', { class: 'demo-button-help' }, help)],
  )
}
