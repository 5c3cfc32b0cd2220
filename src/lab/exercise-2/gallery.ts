import { percent } from '../format.js'
import type { PictureFile, Request } from './service-client.js'

/** Characters of Wikipedia's text that stand under a picture. */
const CHARS = 90

const escaped = (text: string) => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`)

/** Pictures (PNG) beside what the service answered, as HTML; the n-th answer belongs to the n-th picture. */
export function gallery(pictures: readonly PictureFile[], requests: readonly Request[]): string {
  const figures = requests.map((request, i) => {
    const { name, bytes } = pictures[i]!
    const source = `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
    const picture = `<img src="${source}" alt="${escaped(name)}" width="112" height="112" style="image-rendering:pixelated;object-fit:contain;border-radius:4px">`
    return `<figure style="width:112px;margin:0">${picture}<figcaption style="font-size:.8rem;line-height:1.35;color:inherit">${caption(request)}</figcaption></figure>`
  })
  return `<div style="display:flex;flex-wrap:wrap;gap:1rem 1.1rem">${figures.join('')}</div>`
}

function caption({ picture, status, response }: Request): string {
  const under = (text: string) => `<br><small>${escaped(picture)}${text && ` · ${escaped(text)}`}</small>`
  if (status !== 200) return `<b>${status || 'no answer'}</b>${under(String(response.detail ?? ''))}`
  const best = response.classes?.[0]
  const score = best ? percent(best.score).replace(' ', '\u00a0') : ''
  if (response.prediction === 'unknown') {
    const like = best ? `perhaps ${best.label.split(',')[0]}, ${score}` : ''
    return `<i>unknown</i>${under(like)}`
  }
  const info = response.definition?.text ?? response['wikipedia info'] ?? ''
  const text = Array.from(info.replace(/\s+/g, ' '))
  const begin = text.length > CHARS ? `${text.slice(0, CHARS).join('').trimEnd()}…` : text.join('')
  return `<b>${escaped(response.prediction ?? '')}</b> ${score}${under(begin)}`
}
