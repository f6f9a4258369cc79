/**
 * The demonstration on the front page. It is loaded when the page has nothing else to do and this part is in view, and
 * ends when it has been out of view for a while; where a reader wants little motion, it waits for *Run*.
 */
import { computed, defineComponent, h, onBeforeUnmount, onMounted, ref, shallowRef } from 'vue'
import type { VNode } from 'vue'
import { drawing } from './drawing.ts'
import { button, leversOf } from './levers.ts'
import { Numbers } from './numbers.ts'
import { clientsAndAccount, eventsOf } from './panels.ts'
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

type Phase = 'waits' | 'loads' | 'runs' | 'rests'

const PHASES: Readonly<Record<Phase, string>> = {
  waits: 'Three servers of Quorate and two clients run here, in your browser, when you press Run.',
  loads: 'Loading the servers.',
  runs: '',
  rests: 'It has ended while it was out of view. Run begins from the start.',
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
    const { phase, view, checks, numbers, run, end, act } = useStage()
    const spoken = useAnnouncements(view)
    whileInView(root, () => void run(), end)

    const levers = computed(() => leversOf(view.value, phase.value === 'runs'))
    const frame = (parts: VNode[]): VNode => {
      return h('section', { ref: root, class: 'demo', 'aria-label': 'A live ensemble' }, parts)
    }
    return () => {
      // Without JavaScript the page has the steps as text.
      if (!isMounted.value) return frame([h('div', { key: 'steps', class: 'demo-steps' }, slots['default']?.())])
      const sentence = phase.value === 'runs' ? sentenceOf(view.value.servers, numbers.value) : PHASES[phase.value]
      return frame([
        h('div', { key: 'stage', class: 'demo-stage' }, [
          h('div', { class: 'demo-picture' }, [
            h('p', { class: 'demo-sentence' }, sentence),
            drawing(view.value, sentence, numbers.value),
          ]),
          clientsAndAccount(view.value, numbers.value),
        ]),
        h('div', { class: 'demo-levers' }, [
          phase.value === 'runs' ? null : button('Run', 'Starts three servers and two clients', () => void run()),
          ...levers.value.map(({ text, help, lever, isOff }) => {
            const pull = (stage: Stage): void => (lever === 'pause' ? stage.pause('A') : stage.pull(lever))
            return button(text, help, () => act(pull), isOff)
          }),
          h('label', { class: 'demo-switch' }, [
            h('input', {
              type: 'checkbox',
              checked: checks.value,
              onChange: (event: Event) => {
                checks.value = (event.target as HTMLInputElement).checked
                act((stage) => stage.checkTokens(checks.value))
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

/** The running demonstration, and its phases. */
function useStage() {
  const phase = ref<Phase>('waits')
  const view = shallowRef<StageView>(NOTHING)
  const checks = ref(true)
  const numbers = shallowRef(new Numbers())
  let stage: Stage | null = null
  let isGone = false

  async function run(): Promise<void> {
    if (phase.value === 'loads' || phase.value === 'runs') return
    phase.value = 'loads'
    const { Stage } = await import('./stage.ts')
    if (isGone) return
    stage = new Stage((next) => {
      view.value = next
    })
    numbers.value = stage.numbers
    if (!checks.value) stage.checkTokens(false)
    phase.value = 'runs'
  }

  function end(): void {
    if (stage === null) return
    stage.end()
    stage = null
    view.value = NOTHING
    phase.value = 'rests'
  }

  onBeforeUnmount(() => {
    isGone = true
    stage?.end()
  })
  const act = (action: (stage: Stage) => void): void => {
    if (stage !== null) action(stage)
  }
  return { phase, view, checks, numbers, run, end, act }
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
  onMounted(() => {
    const wantsLittleMotion = matchMedia('(prefers-reduced-motion: reduce)').matches
    observer = new IntersectionObserver((entries) => {
      clearTimeout(timer)
      const isInView = entries.at(-1)?.isIntersecting === true
      if (!isInView) timer = setTimeout(leave, OUT_OF_VIEW_MS)
      else if (!wantsLittleMotion) whenIdle(enter)
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
