/** Modules of Node.js for the demonstration, which runs in a browser. */
import { fileURLToPath } from 'node:url'

/** See demo/platform/. */
export const DEMO_ALIASES: Readonly<Record<string, string>> = {
  'node:async_hooks': fileURLToPath(new URL('demo/platform/async-hooks.ts', import.meta.url)),
}
