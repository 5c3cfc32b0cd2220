import { randomUUID } from 'node:crypto'
import {
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { rename } from '../core/rename.js'
import { type Context, isInside } from './context.js'
import type { RepoFile } from './types.js'

/**
 * The cache's layout, as Python's huggingface_hub lays it out (its guide "Understand caching"):
 *
 *     models--owner--name/refs/main              the commit that a branch or tag pointed to
 *                         blobs/<etag>           contents, named by sha256 (large files) or git's id
 *                         snapshots/<commit>/…   the repository's paths, relative links into blobs
 *                         trees/<commit>.json    the listing of a commit
 *     .locks/models--owner--name/…               locks
 *
 * The listing is how a snapshot knows whether it is complete. Python's huggingface_hub writes and reads the same file
 * (seen in 2.4); earlier ones (seen in 0.20 and 0.36) ignore it, and what they left is used without one.
 */

/** A file's entry in a listing; `xetHash` is only handed through, for Python. */
export interface Entry extends RepoFile {
  xetHash?: string
}

/** A repository at a commit. */
export interface Listing {
  commit: string
  files: Entry[]
}

/** The name of a file's content among the blobs. */
export const blobName = (file: RepoFile) => file.sha256 ?? file.oid
export const blobPath = ({ folder }: Context, file: RepoFile) => join(folder, 'blobs', blobName(file))
export const snapshotFolder = ({ folder }: Context, commit: string) => join(folder, 'snapshots', commit)
const treePath = ({ folder }: Context, commit: string) => join(folder, 'trees', `${commit}.json`)
const refPath = ({ folder, repo }: Context) => join(folder, 'refs', ...repo.revision.split('/'))

export const isCommit = (revision: string) => /^[0-9a-f]{40}$/.test(revision)

/** The commit that the cache knows for the revision. */
export async function readCommit(context: Context): Promise<string | null> {
  if (isCommit(context.repo.revision)) return context.repo.revision
  const text = await readFile(refPath(context), 'utf8').catch(() => '')
  return isCommit(text.trim()) ? text.trim() : null
}

/** A commit's listing, null where none was kept or it cannot be read. */
export async function readListing(context: Context, commit: string): Promise<Listing | null> {
  const text = await readFile(treePath(context, commit), 'utf8').catch(() => null)
  if (text === null) return null
  try {
    const tree = JSON.parse(text) as Tree
    if (tree.format_version !== 1) return null
    const files = Object.entries(tree.files).map(([path, file]) => ({
      path,
      size: file.lfs_size ?? file.size,
      oid: file.blob_id,
      ...(file.lfs_sha256 && { sha256: file.lfs_sha256 }),
      ...(file.xet_hash && { xetHash: file.xet_hash }),
    }))
    return files.every(isSound) ? { commit, files } : null
  } catch {
    return null
  }
}

/** The form of huggingface_hub's `_tree_cache.py`. */
interface Tree {
  format_version: number
  files: Record<string, { size: number; blob_id: string; lfs_sha256?: string; lfs_size?: number; xet_hash?: string }>
}

/** Whether an entry can be joined to folders and checked. */
export function isSound({ path, size, oid, sha256 }: RepoFile): boolean {
  const named = /^[0-9a-f]{40}$/.test(oid) && (sha256 === undefined || /^[0-9a-f]{64}$/.test(sha256))
  return named && isInside(path) && Number.isSafeInteger(size) && size >= 0
}

/** Keeps a commit's listing, and notes that the revision points to it. */
export async function keepListing(context: Context, { commit, files }: Listing): Promise<void> {
  const tree: Tree = { format_version: 1, files: {} }
  for (const { path, size, oid, sha256, xetHash } of files)
    tree.files[path] = {
      size,
      blob_id: oid,
      ...(sha256 && { lfs_sha256: sha256, lfs_size: size }),
      ...(xetHash && { xet_hash: xetHash }),
    }
  await replace(treePath(context, commit), JSON.stringify(tree, null, 1))
  // Python takes a ref without a snapshot's folder for a damaged cache.
  await mkdir(snapshotFolder(context, commit), { recursive: true })
  if (!isCommit(context.repo.revision) && (await readCommit(context)) !== commit)
    await replace(refPath(context), commit)
}

/** Writes a small file so that a reader sees the old or the new one, never a half. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID().slice(0, 8)}.tmp`
  try {
    await writeFile(draft, text)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** What a snapshot's folder holds, for one that came without a listing. */
export async function walkSnapshot(context: Context, commit: string): Promise<Entry[]> {
  const folder = snapshotFolder(context, commit)
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => null)
      if (!found?.isFile()) return null
      // not where that leads: Python may keep the content itself under another name, for several repositories
      const blob = await readlink(join(folder, name)).then(basename, () => '')
      const large = /^[0-9a-f]{64}$/.test(blob)
      return {
        path: name.split(/[\\/]/).join('/'),
        size: found.size,
        oid: large ? '' : blob,
        ...(large && { sha256: blob }),
      }
    }),
  )
  return files.filter((file) => file !== null)
}

/** Whether the snapshot holds the file, whole. */
export async function isCached(context: Context, commit: string, file: RepoFile): Promise<boolean> {
  return (await sizeOf(join(snapshotFolder(context, commit), file.path))) === file.size
}

/** Bytes of a file, following links; -1 where there is none. */
export async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() ? found.size : -1
}

/** Whether Python noted that the commit has no such file. */
export async function isKnownAbsent({ folder }: Context, commit: string, path: string): Promise<boolean> {
  return (await sizeOf(join(folder, '.no_exist', commit, path))) >= 0
}

/**
 * Gives a blob its path in a snapshot: a relative link, as Python makes it; a hard link or a copy where links are refused,
 * as on Windows without developer mode, or turned off by HF_HUB_DISABLE_SYMLINKS.
 * @param link for tests: what makes the link
 */
export async function linkBlob(context: Context, commit: string, file: RepoFile, makeLink = symlink): Promise<void> {
  const blob = blobPath(context, file)
  const pointer = join(snapshotFolder(context, commit), file.path)
  await mkdir(dirname(pointer), { recursive: true })
  await unlink(pointer).catch(() => {})
  const copy = () => link(blob, pointer).catch(() => copyFile(blob, pointer))
  if (!context.symlinks) return copy()
  await makeLink(relative(dirname(pointer), blob), pointer).catch((error) => {
    if (error.code !== 'EEXIST') return copy()
  })
}
