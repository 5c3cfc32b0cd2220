/**
 * A JPEG as if it held one picture: a copy in which the index of several (MPF, CIPA DC-007) has lost its name, or the bytes themselves where
 * there is none. By that index libvips finds the gain map of Ultra HDR, which no pixel of ours comes from, and decodes the picture in another
 * way, which takes twice as long, refuses grey and loses XMP. sharp can forbid that way, but only to the whole process.
 */
export function withoutGainMap(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let copy: Uint8Array | undefined
  for (let at = 2; at + 7 <= file.length && file[at] === 0xff && file[at + 1] !== 0xda; ) {
    const marker = file[at + 1]
    if (marker === 0xe2 && file.toString('latin1', at + 4, at + 7) === 'MPF') {
      copy ??= Uint8Array.from(bytes)
      copy[at + 4] = 0
    }
    // Before a marker may stand any number of 0xff.
    at += marker === 0xff ? 1 : 2 + file.readUInt16BE(at + 2)
  }
  return copy ?? bytes
}
