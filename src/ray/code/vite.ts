import { existsSync } from 'node:fs'

/** What Vite, and so Vitest, writes in the place of `import.meta`, of `import` before a bracket, and of a module that is imported. */
export const VITE_META = '__vite_ssr_import_meta__'
export const VITE_IMPORT = '__vite_ssr_dynamic_import__'
export const VITE_MODULE = /^__vite_ssr_import_\d+__$/

/** What Node imports where Vite says `/src/work.ts`, from its root on (the working directory), or `/@fs/work.ts`. */
export function nodeSpecifier(specifier: string): string {
  if (specifier.startsWith('/@fs/')) return new URL(specifier.slice('/@fs'.length), 'file:').href
  return specifier.startsWith('/') && !existsSync(specifier) ? `.${specifier}` : specifier
}
