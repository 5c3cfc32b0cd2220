import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import axios from 'axios'
import FormData from 'form-data'
import { RayitoError } from '../../core/errors.js'
import { progress } from '../../core/progress.js'
import type { DetailedAnswer } from '../../ray-server/what-is.js'

/** What the service answers: an answer (more of it where details were asked for), or what was wrong. */
export type ServiceResponse = Partial<DetailedAnswer> & { detail?: unknown }

/** A question to the service, and its answer. */
export interface Request {
  /** What the picture is called. */
  picture: string
  /** HTTP's; 0 when there was no answer. */
  status: number
  response: ServiceResponse
  /** From the moment it was sent until the whole answer was there. */
  milliseconds: number
}

/** A picture as a file would have it. */
export interface PictureFile {
  name: string
  bytes: Uint8Array
}

const TYPES: Record<string, string> = { '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg' }

/** Asks the service as the notebook's first request does, measures it, and remembers question and answer. */
export class ServiceClient {
  /** The service's address, without a slash at the end. */
  readonly url: string
  /** All questions so far, in the order of their answers. */
  readonly requests: Request[] = []

  constructor(url: string) {
    this.url = url.replace(/\/+$/, '')
  }

  /**
   * What is on a picture. An answer that refuses is an answer too: look at its status.
   * @param picture a file's path, or its name and bytes
   * @returns rejects with IMAGE_NOT_FOUND when there is no such file: then nothing is sent
   */
  async whatIs(picture: string | PictureFile, options: { details?: boolean | undefined } = {}): Promise<Request> {
    const request = await this.send(typeof picture === 'string' ? await fileOf(picture) : picture, options)
    this.requests.push(request)
    return request
  }

  /** What is on each of the pictures: all are sent at once, while a bar shows how many are answered. */
  async whatIsAll(
    pictures: readonly PictureFile[],
    options: { details?: boolean | undefined } = {},
  ): Promise<Request[]> {
    const bar = progress({ label: 'Asking', total: pictures.length, unit: 'pictures' })
    try {
      return await Promise.all(
        pictures.map(async (picture) => {
          const request = await this.whatIs(picture, options)
          bar.add(1)
          return request
        }),
      )
    } finally {
      bar.done()
    }
  }

  /** One question that is not remembered. */
  async send(
    { name, bytes }: PictureFile,
    { details = false }: { details?: boolean | undefined } = {},
  ): Promise<Request> {
    const form = new FormData()
    form.append('file', Buffer.from(bytes), { filename: name, contentType: TYPES[extname(name).toLowerCase()] })
    const began = performance.now()
    const { status, data } = await axios
      .post<ServiceResponse>(`${this.url}/whatis/`, form, {
        params: details ? { details: 1 } : {},
        validateStatus: () => true,
      })
      .catch(({ code, message }) => ({ status: 0, data: { detail: code ?? message } }))
    const milliseconds = Math.round((performance.now() - began) * 10) / 10
    return { picture: name, status, response: data, milliseconds }
  }
}

async function fileOf(path: string): Promise<PictureFile> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new RayitoError('IMAGE_NOT_FOUND', `${path} cannot be read (${cause.code})`, { cause })
  })
  return { name: basename(path), bytes }
}
