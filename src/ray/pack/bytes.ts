import { types } from 'node:util'
import { prefault } from './prefault.js'

/** Bytes from which a buffer moves into shared memory: below, copying is cheaper than managing it. */
const SHARED_FROM = 4096

/** The memory of one value: each buffer is copied once, views over it follow. */
export class Memory {
  /** Bytes in copies that each crossing copies again, and bytes of the shared memory that the value hands over. */
  copied = 0
  shared = 0
  /** Bytes of that memory that were allocated here. */
  fresh = 0
  readonly #copies = new Map<ArrayBufferLike, ArrayBuffer | SharedArrayBuffer>()

  /** What stands for a buffer: itself if it is shared. */
  buffer(buffer: ArrayBufferLike): ArrayBuffer | SharedArrayBuffer {
    if (types.isSharedArrayBuffer(buffer)) {
      if (!this.#copies.has(buffer)) this.#copies.set(buffer, this.#count(buffer))
      return buffer
    }
    let copy = this.#copies.get(buffer)
    if (!copy) {
      copy = this.#copy(new Uint8Array(buffer))
      this.#copies.set(buffer, copy)
    }
    return copy
  }

  /** A view over the whole of its buffer goes on sharing it with others; one over a part takes only that part along. */
  view(view: ArrayBufferView): ArrayBufferView {
    const { buffer, byteOffset, byteLength } = view
    if (types.isSharedArrayBuffer(buffer) || byteLength === buffer.byteLength)
      return viewLike(view, this.buffer(buffer), byteOffset)
    return viewLike(view, this.#copy(new Uint8Array(buffer, byteOffset, byteLength)), 0)
  }

  #copy(bytes: Uint8Array): ArrayBuffer | SharedArrayBuffer {
    const copy = this.#count(copyBytes(bytes))
    if (types.isSharedArrayBuffer(copy)) this.fresh += copy.byteLength
    return copy
  }

  #count<T extends ArrayBuffer | SharedArrayBuffer>(buffer: T): T {
    if (types.isSharedArrayBuffer(buffer)) this.shared += buffer.byteLength
    else this.copied += buffer.byteLength
    return buffer
  }
}

/** A buffer's bytes in memory of their own: shared from SHARED_FROM up. */
function copyBytes(bytes: Uint8Array): ArrayBuffer | SharedArrayBuffer {
  return bytes.byteLength >= SHARED_FROM ? prefault.copy(bytes) : bytes.slice().buffer
}

type ViewConstructor = new (buffer: ArrayBuffer | SharedArrayBuffer, offset: number, length: number) => ArrayBufferView

/** The same kind of view over other memory. */
function viewLike(view: ArrayBufferView, buffer: ArrayBuffer | SharedArrayBuffer, byteOffset: number): ArrayBufferView {
  if (types.isDataView(view)) return new DataView(buffer, byteOffset, view.byteLength)
  const array = view as Uint8Array
  const name = array[Symbol.toStringTag]
  const View = (globalThis as unknown as Record<string, ViewConstructor>)[name]!
  return new View(buffer, byteOffset, array.length)
}
