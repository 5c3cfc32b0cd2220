/** Pixels as Pillow's `L`, `RGB` or `RGBA` hold them. */
export interface Pixels {
  data: Uint8Array
  width: number
  height: number
  channels: 1 | 3 | 4
}
