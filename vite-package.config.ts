/**
 * The JavaScript of the package, `npm run build:code`: each entry of package.json with its code, and in chunks beside
 * it what several share. Node.js loads some thirty files where it would load two to four hundred.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
  readonly bin: Readonly<Record<string, string>>
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const { exports, bin } = JSON.parse(readFileSync(at('package.json'), 'utf8')) as Manifest
const built = Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.default]))
/** The entries, by their names below `dist` and below `src`. */
const names = [...built, ...Object.values(bin)].map((file) => file.replace(/^(\.\/)?dist\/(.*)\.js$/, '$2'))

export default defineConfig({
  root: at('.'),
  publicDir: false,
  build: {
    ssr: true,
    outDir: at('./dist'),
    emptyOutDir: false,
    target: 'es2022',
    minify: false,
    rolldownOptions: {
      input: Object.fromEntries(names.map((name) => [name, at(`./src/${name}.ts`)])),
      output: {
        entryFileNames: '[name].js',
        // A folder below `dist`, as each room is below `src`: files are found by `import.meta.url` from both.
        chunkFileNames: 'chunks/[name].js',
        // The declarations have them; here they would cost each start the time to read them.
        comments: { jsdoc: false, legal: true, annotation: true },
      },
    },
  },
})
