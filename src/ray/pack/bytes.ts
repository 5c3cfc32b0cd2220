/** Bytes from which a buffer moves into shared memory: below, copying is cheaper than managing it. */
export const SHARED_FROM = 4096

/** A buffer's bytes in memory of their own: shared from SHARED_FROM up. */
export function copyBytes(bytes: Uint8Array): ArrayBuffer | SharedArrayBuffer {
  const { byteLength } = bytes
  const copy = byteLength >= SHARED_FROM ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength)
  new Uint8Array(copy).set(bytes)
  return copy
}

type ViewConstructor = new (buffer: ArrayBuffer | SharedArrayBuffer, offset: number, length: number) => ArrayBufferView

/** The same kind of view over other memory. */
export function viewLike(
  view: ArrayBufferView,
  buffer: ArrayBuffer | SharedArrayBuffer,
  byteOffset: number,
): ArrayBufferView {
  if (view instanceof DataView) return new DataView(buffer, byteOffset, view.byteLength)
  const array = view as Uint8Array
  const name = array[Symbol.toStringTag]
  const View = (globalThis as unknown as Record<string, ViewConstructor>)[name]!
  return new View(buffer, byteOffset, array.length)
}
