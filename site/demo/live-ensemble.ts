/**
 * The demonstration on the front page. It is loaded when the page has nothing else to do and this part is in view, and
 * ends when it has been out of view for a while; where a reader wants little motion, it waits for *Run*.
 */
import { computed, defineComponent, h, onBeforeUnmount, onMounted, ref, shallowRef } from 'vue'
import type { VNode } from 'vue'
import { drawing } from './drawing.ts'
import type { Lever } from './messages.ts'
import { Numbers } from './numbers.ts'
import { sentenceOf } from './sentence.ts'
import type { Stage, StageView } from './stage.ts'

/** How long it goes on out of view, in milliseconds. */
const OUT_OF_VIEW_MS = 20_000
/** Shortest time between two announcements, in milliseconds. */
const ANNOUNCE_MS = 2_000

const NOTHING: StageView = {
  servers: [],
  clients: [],
  account: { balance: 0, lastToken: null, written: 0, refused: 0, lost: 0 },
  events: [],
}

const NOT_HERE = (['A', 'B'] as const).map((name) => ({ name, activity: 'is not here yet', token: null }))

type Phase = 'waits' | 'loads' | 'runs' | 'rests'

const PHASES: Readonly<Record<Phase, string>> = {
  waits: 'Three servers of Quorate and two clients run here, in your browser, when you press Run.',
  loads: 'Loading the servers.',
  runs: '',
  rests: 'It has rested while it was out of view, and begins from the start.',
}

/** The component. */
export const LiveEnsemble = defineComponent({
  name: 'LiveEnsemble',
  setup(_props, { slots }) {
    const isMounted = ref(false)
    onMounted(() => {
      isMounted.value = true
    })
    const root = ref<HTMLElement | null>(null)
    const phase = ref<Phase>('waits')
    const view = shallowRef<StageView>(NOTHING)
    const checks = ref(true)
    const spoken = useAnnouncements(view)
    let stage: Stage | null = null
    let numbers = new Numbers()

    async function run(): Promise<void> {
      if (phase.value === 'loads' || phase.value === 'runs') return
      phase.value = 'loads'
      const { Stage } = await import('./stage.ts')
      stage = new Stage((next) => {
        view.value = next
      })
      numbers = stage.numbers
      if (!checks.value) stage.checkTokens(false)
      phase.value = 'runs'
    }

    function end(): void {
      stage?.end()
      stage = null
      view.value = NOTHING
      phase.value = 'rests'
    }

    whileInView(root, () => void run(), end)
    onBeforeUnmount(() => stage?.end())

    const levers = computed(() => leversOf(view.value, phase.value === 'runs'))
    const frame = (parts: VNode[]): VNode => {
      return h('section', { ref: root, class: 'demo', 'aria-label': 'A live ensemble' }, parts)
    }
    return () => {
      // Without JavaScript the page has the steps as text.
      if (!isMounted.value) return frame([h('div', { key: 'steps', class: 'demo-steps' }, slots['default']?.())])
      const sentence = phase.value === 'runs' ? sentenceOf(view.value.servers, numbers) : PHASES[phase.value]
      return frame([
        h('div', { key: 'stage', class: 'demo-stage' }, [
          h('div', { class: 'demo-picture' }, [
            h('p', { class: 'demo-sentence' }, sentence),
            drawing(view.value, sentence, numbers),
          ]),
          clientsAndAccount(view.value, numbers),
        ]),
        h('div', { class: 'demo-levers' }, [
          phase.value === 'runs' ? null : button('Run', 'Starts three servers and two clients', () => void run()),
          ...levers.value.map(({ text, help, lever, isOff }) =>
            button(text, help, () => (lever === 'pause' ? stage?.pause('A') : stage?.pull(lever)), isOff)),
          h('label', { class: 'demo-switch' }, [
            h('input', {
              type: 'checkbox',
              checked: checks.value,
              onChange: (event: Event) => {
                checks.value = (event.target as HTMLInputElement).checked
                stage?.checkTokens(checks.value)
              },
            }),
            ' The account checks the token',
          ]),
        ]),
        eventsOf(view.value),
        h('p', { class: 'demo-spoken', 'aria-live': 'polite' }, spoken.value),
      ])
    }
  },
})

interface LeverView {
  readonly text: string
  readonly help: string
  readonly lever: Lever | 'pause'
  readonly isOff: boolean
}

function leversOf({ servers, clients }: StageView, runs: boolean): LeverView[] {
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

/** A button that is off stays in the order of the keyboard. */
function button(text: string, help: string, press: () => void, isOff = false): VNode {
  return h(
    'button',
    { type: 'button', class: 'demo-button', 'aria-disabled': isOff, onClick: () => (isOff ? undefined : press()) },
    [h('span', { class: 'demo-button-text' }, text), h('span', { class: 'demo-button-help' }, help)],
  )
}

function clientsAndAccount({ clients, account }: StageView, numbers: Numbers): VNode {
  const shown = clients.length > 0 ? clients : NOT_HERE
  return h('div', { class: 'demo-side' }, [
    ...shown.map(({ name, activity, token }) =>
      h('div', { class: ['demo-client', { holds: token !== null, still: activity === 'stands still' }] }, [
        h('b', `Client ${name} `),
        h('span', { class: 'demo-activity' }, activity),
        token === null ? null : h('span', { class: 'demo-token', title: String(token) }, ` token ${numbers.token(token)}`),
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

function term(name: string, value: unknown): VNode[] {
  return [h('div', [h('dt', name), h('dd', String(value))])]
}

function eventsOf({ events }: StageView): VNode {
  const items = events.map(({ id, text, isBad }) => h('li', { key: id, class: { bad: isBad } }, text))
  return h('ol', { class: 'demo-events', 'aria-label': 'The latest events, newest first' }, items)
}

/** The latest event for those who listen: one at most in a while. */
function useAnnouncements(view: { readonly value: StageView }): { readonly value: string } {
  const spoken = ref('')
  let timer: ReturnType<typeof setInterval> | undefined
  onMounted(() => {
    timer = setInterval(() => {
      spoken.value = view.value.events[0]?.text ?? ''
    }, ANNOUNCE_MS)
  })
  onBeforeUnmount(() => clearInterval(timer))
  return spoken
}

/** Calls `enter` when an element is in view and the page is idle, and `leave` when it was out of view for a while. */
function whileInView(root: { readonly value: HTMLElement | null }, enter: () => void, leave: () => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let observer: IntersectionObserver | null = null
  let hasEntered = false
  onMounted(() => {
    const wantsLittleMotion = matchMedia('(prefers-reduced-motion: reduce)').matches
    observer = new IntersectionObserver((entries) => {
      clearTimeout(timer)
      const isInView = entries.at(-1)?.isIntersecting === true
      if (!isInView && hasEntered) timer = setTimeout(leave, OUT_OF_VIEW_MS)
      if (!isInView || wantsLittleMotion) return
      hasEntered = true
      whenIdle(enter)
    })
    if (root.value !== null) observer.observe(root.value)
  })
  onBeforeUnmount(() => {
    clearTimeout(timer)
    observer?.disconnect()
  })
}

/** Some browsers have no idle callbacks. */
function whenIdle(task: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(task)
  else setTimeout(task, 1)
}
