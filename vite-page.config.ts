/** The page of the dashboard, bundled beside its compiled handler: `npm run build:page`. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: at('./src/dashboard/page'),
  base: './',
  publicDir: false,
  // Whatever NODE_ENV is: what is for development has the paths of the machine in it.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
  build: {
    outDir: at('./dist/dashboard/page'),
    emptyOutDir: true,
    target: 'es2022',
    // The colours are light-dark() of CSS, which would be taken apart for older browsers.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: 'page.js', assetFileNames: '[name][extname]' },
    },
  },
})
