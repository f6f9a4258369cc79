/** The default theme of VitePress with the tokens of the dashboard, system fonts, and the demonstration. */
import DefaultTheme from 'vitepress/theme-without-fonts'
import type { Theme } from 'vitepress'
import { LiveEnsemble } from '../../demo/live-ensemble.ts'
import './theme.css'
import './demo.css'

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('LiveEnsemble', LiveEnsemble)
  },
} satisfies Theme
