// PLACEHOLDER, only until the real file of branch `travel` lands: on a rebase conflict take the whole file from `travel`.
// stub
import { serialize, Travel } from '../core/travel.js'
import { NotSerializableError } from './errors.js'
import type { Content } from './object-ref.js'
export function pack(value: any, path: string): Content | Promise<Content> {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function') throw new NotSerializableError(path, 'is a function')
    return {
      data: value,
      special: false,
      copied: typeof value === 'string' ? value.length * 2 : 8,
      shared: 0,
      carried: [],
    }
  }
  const carried: object[] = []
  let special = false
  let shared = 0,
    copied = 16
  const go = (v: any, p: string): any => {
    if (typeof v === 'function') throw new NotSerializableError(p, 'is a function')
    if (typeof v !== 'object' || v === null) {
      if (typeof v === 'string') copied += v.length * 2
      return v
    }
    if (typeof v[serialize] === 'function') {
      const t = v[serialize]()
      special = true
      if (t.module.startsWith('rayito:')) carried.push(v)
      return { __t: [t.module, t.name, go(t.data, p)] }
    }
    if (ArrayBuffer.isView(v)) {
      if (v.buffer instanceof SharedArrayBuffer) return v
      if (v.byteLength < 4096) return v
      shared += v.byteLength
      const s = new SharedArrayBuffer(v.byteLength)
      const C = v.constructor as any
      const o = new Uint8Array(s)
      o.set(new Uint8Array(v.buffer, v.byteOffset, v.byteLength))
      return C === Buffer ? o : new C(s)
    }
    if (Array.isArray(v)) return v.map((x, i) => go(x, `${p}[${i}]`))
    if (Object.getPrototypeOf(v) === Object.prototype) {
      const o: any = {}
      for (const k in v) o[k] = go(v[k], `${p}.${k}`)
      return o
    }
    return v
  }
  return { data: go(value, path), special, copied, shared, carried }
}
export function unpack(data: any, special: boolean, revive: (t: Travel) => unknown): unknown {
  if (!special) return data
  const go = (v: any): any => {
    if (typeof v !== 'object' || v === null) return v
    if (v.__t) return revive(new Travel(v.__t[0], v.__t[1], go(v.__t[2])))
    if (Array.isArray(v)) return v.map(go)
    if (Object.getPrototypeOf(v) === Object.prototype) {
      const o: any = {}
      for (const k in v) o[k] = go(v[k])
      return o
    }
    return v
  }
  return go(data)
}
export function freeze<T>(v: T): T {
  if (typeof v === 'object' && v !== null && (Array.isArray(v) || Object.getPrototypeOf(v) === Object.prototype)) {
    for (const k in v) freeze(v[k])
    Object.freeze(v)
  }
  return v
}
