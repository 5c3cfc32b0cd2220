import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RayitoError } from '../core/errors.js'
import type { Progress } from '../core/progress.js'
import { rename } from '../core/rename.js'
import { blobPath, sizeOf } from './cache.js'
import type { Context } from './context.js'
import { Passing } from './failures.js'
import { ask, patiently } from './request.js'
import type { RepoFile } from './types.js'

/** Where a blob grows until it is whole; what ends like this, `hf cache prune` removes. */
export const partialPath = (context: Context, file: RepoFile) => `${blobPath(context, file)}.rayito.incomplete`
/** Where an earlier huggingface_hub (seen in 0.36) does the same, at the same time perhaps: its locks cannot be seen from Node. */
const pythonsPartialPath = (context: Context, file: RepoFile) => `${blobPath(context, file)}.incomplete`

const HEAD_START = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

/**
 * Brings a file's content into the cache: continues what is there of it, of Python's too, and makes a blob of it once its bytes are those
 * that the listing announced. Whoever calls holds the blob's lock.
 *
 * Written by hand: @huggingface/hub's `downloadFileToCacheDir` starts anew after each failure and checks nothing.
 */
export async function fetchBlob(context: Context, commit: string, file: RepoFile, bar: Progress): Promise<void> {
  const blob = blobPath(context, file)
  const partial = partialPath(context, file)
  await mkdir(dirname(blob), { recursive: true })
  // Python only appends, so whatever is there now is a beginning. Its file itself stays with it.
  await copyFile(pythonsPartialPath(context, file), partial, HEAD_START).catch(() => {})
  let got = ''
  for (const attempt of ['first', 'second']) {
    const handle = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o666)
    try {
      got = await receive(context, commit, file, handle, bar, attempt === 'second')
    } finally {
      await handle.close()
    }
    if (got === announced(file)) return finish(partial, blob, file.size)
    // Damaged on the way, or on the disk since the last time: nothing of it is of use.
    bar.skip(-file.size)
    await rm(partial, { force: true })
  }
  const kind = file.sha256 ? 'sha256' : "git's id"
  throw new RayitoError(
    'HUB_CHECKSUM',
    `Expected ${file.path} of ${context.name} to have the ${kind} ${announced(file)}, got ${got} twice`,
    {
      repo: context.repo.id,
      file: file.path,
    },
  )
}

/** Makes the blob, unless another holder of the lock just did (see core/lock.ts). */
async function finish(partial: string, blob: string, size: number): Promise<void> {
  await rename(partial, blob).catch(async (error) => {
    if ((await sizeOf(blob)) !== size) throw error
  })
}

const announced = (file: RepoFile) => file.sha256 ?? file.oid

/** A file in large-file storage is named by its sha256, any other as git names it: the sha1 of a header and its bytes. */
function hashOf(file: RepoFile): Hash {
  return file.sha256 ? createHash('sha256') : createHash('sha1').update(`blob ${file.size}\0`)
}

/** Fills the file up to its size; its digest. */
async function receive(
  context: Context,
  commit: string,
  file: RepoFile,
  handle: FileHandle,
  bar: Progress,
  fresh: boolean,
): Promise<string> {
  const hash = hashOf(file)
  let at = 0
  let ranges = true

  if ((await handle.stat()).size > file.size) await handle.truncate(0)
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 18 })) {
    hash.update(chunk)
    at += chunk.length
  }
  bar.skip(at)

  const attempt = async () => {
    if (at === file.size) return
    const headers: Record<string, string> = at > 0 && ranges ? { range: `bytes=${at}-` } : {}
    // A damaged copy may come from a cache on the way.
    if (fresh) headers['cache-control'] = 'no-cache'
    const response = await ask(context, file.path, address(context, commit, file), { headers })
    const start = startOf(response)
    const problem = unfit(response, start, at, file.size)
    if (problem) {
      await response.body?.cancel()
      ranges = isWithin(start, at)
      throw new Passing(problem)
    }
    // What is there already is passed over, not written anew: it would be lost if this were no more than a login page.
    let known = at - start
    for await (const chunk of response.body ?? []) {
      const news = chunk.subarray(known)
      known = Math.max(known - chunk.length, 0)
      // More than announced: the digest tells.
      const part = news.subarray(0, file.size - at)
      // By position, so that two who hold the lock by mistake write the same bytes to the same places.
      await writeAll(handle, part, at)
      hash.update(part)
      at += part.length
      bar.add(part.length)
      if (part.length < news.length) return
    }
    if (at < file.size) throw new Passing(`the end after ${at} of ${file.size} bytes`)
  }
  await patiently(context, file.path, attempt, () => at)
  return hash.digest('hex')
}

/** Where a partial answer begins (RFC 9110, 14.4), -1 where there is none; 0 where the whole is sent, as by a server that knows no ranges. */
function startOf({ status, headers }: Response): number {
  if (status === 416) return -1
  return status === 206 ? Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1] ?? -1) : 0
}

const isWithin = (start: number, at: number) => start >= 0 && start <= at

/** What is wrong with an answer that neither begins where the file is continued, or before, nor is as long as the file. */
function unfit({ status, headers }: Response, start: number, at: number, size: number): string | undefined {
  if (!isWithin(start, at))
    return start < 0 ? `${status} for the bytes from ${at} on` : `bytes from ${start} on, not from ${at}`
  // A part may be shorter than asked for, and where it is compressed, the length is another's.
  const length = status === 206 || headers.has('content-encoding') ? null : headers.get('content-length')
  // More than announced: the digest tells.
  return length !== null && Number(length) < size ? `${length} bytes, not ${size}` : undefined
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

/** The address that redirects to a file's content. */
function address({ endpoint, repo }: Context, commit: string, { path }: RepoFile): string {
  const folder = repo.type === 'dataset' ? 'datasets/' : ''
  return `${endpoint}/${folder}${repo.id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}
