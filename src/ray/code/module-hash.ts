import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'

/**
 * What a module says, and all that it imports by relative paths, and so on: other machines must have the same.
 * `parts` has a few digits of each file, in the order in which they are first imported, so that the one which differs can
 * be named. Packages are not looked into: `npm ci` sees to them.
 */
export interface ModuleHash {
  whole: string
  parts: string
  /** The files of `parts`; one that is imported and missing stands there as well. */
  files: readonly string[]
}

/** Digits of a file in `parts`. */
const DIGITS = 4

const SPACE = String.raw`(?:\s|/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*\n)*`
const PATH = String.raw`(['"\x60])(\.{1,2}/(?:(?!\1)[^\n\\$])*)\1`
/**
 * The ways in which a file names another, in JavaScript and TypeScript, modules and CommonJS: import and export from, import()
 * and require(), new URL(…, import.meta.url). As text: a parser would have to know TypeScript, and one way too many (in a
 * comment) only adds a file that is there.
 */
const IMPORTS = new RegExp(
  String.raw`(?:\bfrom${SPACE}|\bimport${SPACE}\(?${SPACE}|\brequire(?:\.resolve)?${SPACE}\(${SPACE}|\bnew${SPACE}URL${SPACE}\(${SPACE})${PATH}`,
  'g',
)

/** The relative paths that a module's text imports, in order. */
export function relativeImports(text: string): string[] {
  return [...text.matchAll(IMPORTS)].map((match) => match[2]!)
}

interface FileText {
  digest: string
  imports: string[]
}

/** Each file is read once: what a process has loaded stays as it is, and so does what it says of it. */
const known = new Map<string, FileText | null>()
const hashes = new Map<string, ModuleHash>()

/** @throws Error as readFileSync does, if the module itself cannot be read */
export function moduleHash(file: string): ModuleHash {
  let hash = hashes.get(file)
  if (!hash) {
    hash = hashed(file)
    hashes.set(file, hash)
  }
  return hash
}

function hashed(file: string): ModuleHash {
  if (!known.get(file)) known.set(file, fileText(readFileSync(file)))
  const files = new Set<string>()
  const visit = (path: string) => {
    if (files.has(path)) return
    files.add(path)
    for (const specifier of read(path)?.imports ?? []) visit(resolved(join(dirname(path), specifier)))
  }
  visit(file)
  const digests = [...files].map((path) => read(path)?.digest ?? '')
  return {
    whole: createHash('sha256').update(digests.join()).digest('hex').slice(0, 16),
    parts: digests.map((digest) => digest.slice(0, DIGITS).padEnd(DIGITS, '0')).join(''),
    files: [...files],
  }
}

function read(path: string): FileText | null {
  let text = known.get(path)
  if (text === undefined) {
    text = isFile(path) ? fileText(readFileSync(path)) : null
    known.set(path, text)
  }
  return text
}

function fileText(bytes: Buffer): FileText {
  return {
    digest: createHash('sha256').update(bytes).digest('hex'),
    imports: relativeImports(bytes.toString('utf8')),
  }
}

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx', '.json']
/** What TypeScript means by an import of JavaScript that is not there. */
const SOURCES: Record<string, readonly string[]> = {
  '.js': ['.ts', '.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
  '.jsx': ['.tsx'],
}

/** The file that an import means; the path itself if there is none. */
function resolved(path: string): string {
  const extension = extname(path)
  const stem = path.slice(0, path.length - extension.length)
  const candidates = [
    path,
    ...(SOURCES[extension] ?? []).map((other) => stem + other),
    ...EXTENSIONS.map((other) => path + other),
    ...EXTENSIONS.map((other) => join(path, `index${other}`)),
  ]
  return candidates.find(isFile) ?? path
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** The file here that is not as elsewhere; null if that cannot be said. */
export function differing({ parts, files }: ModuleHash, theirs: string): string | null {
  const index = files.findIndex(
    (_, i) => parts.slice(i * DIGITS, (i + 1) * DIGITS) !== theirs.slice(i * DIGITS, (i + 1) * DIGITS),
  )
  return files[index] ?? null
}
