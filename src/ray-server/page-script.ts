/** What the page does, as a browser runs it. `LIMIT` is put before it: the most bytes that the service takes. */
export const SCRIPT = `
const $ = (id) => document.getElementById(id)
const form = $('form'), frame = $('frame'), picture = $('picture'), invite = $('invite')
const file = $('file'), camera = $('camera'), answer = $('answer'), spoken = $('spoken'), warned = $('alert')
const recent = $('recent'), entries = []
const KEPT = 12
let waiting = [], current = null, running = null

/** An element with a class and text or children; text stays text. */
function make(tag, className, ...children) {
  const element = document.createElement(tag)
  if (className) element.className = className
  element.append(...children.filter((child) => child !== null && child !== undefined))
  return element
}
/** Rounded, but never up to what it is not: 80, from where there is a name, and 100. */
function percent(score) {
  const text = (100 * score).toFixed(score < 0.1 ? 1 : 0)
  const up = (text === '80' && score < 0.8) || (text === '100' && score < 1)
  return (up ? (Math.floor(1000 * score) / 10).toFixed(1) : text) + '\u00a0%'
}
const time = (ms) => (ms < 1000 ? Math.max(1, Math.round(ms)) + '\u00a0ms' : (ms / 1000).toFixed(1) + '\u00a0s')
const first = (label) => label.split(',')[0].trim()

/** Pictures are answered one after another; new ones end what is still running. */
function take(files) {
  const pictures = [...files].filter((one) => one && one.size !== undefined)
  if (!pictures.length) return
  if (running) running.abort()
  waiting = pictures
  void next()
}

async function next() {
  const one = waiting.shift()
  if (!one) return
  const control = (running = new AbortController())
  const entry = { file: one, url: URL.createObjectURL(one), name: one.name || 'picture' }
  show(entry)
  document.body.classList.add('busy')
  try {
    Object.assign(entry, await ask(one, control.signal))
  } catch (error) {
    if (control.signal.aborted) return void forget(entry)
    entry.trouble = trouble(error)
  }
  running = null
  document.body.classList.remove('busy')
  // A failure, too, if the next picture takes its place.
  if (entry.answer || waiting.length || current !== entry) keep(entry)
  if (current === entry) {
    show(entry)
    // On a phone the answer is below what can be seen.
    if (answer.getBoundingClientRect().top > 0.6 * innerHeight) reveal()
  }
  if (waiting.length) void next()
}

function reveal() {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  answer.scrollIntoView({ behavior: still ? 'auto' : 'smooth' })
}

/** Sends a picture. One that is too large, or that only browsers can read, is drawn anew and sent once more. */
async function ask(one, signal) {
  let body = one.size > LIMIT ? await redraw(one, 'image/jpeg').catch(() => one) : one
  for (let drawn = body !== one; ; drawn = true) {
    const data = new FormData()
    data.append('file', body, one.name || 'picture')
    const began = performance.now()
    const response = await fetch('whatis?details=1', { method: 'POST', body: data, signal }).catch(async (error) => {
      // That fails in the same way.
      await one.slice(0, 1).arrayBuffer().catch(() => { error.unread = true })
      throw error
    })
    const text = await response.text()
    let json = null
    try { json = JSON.parse(text) } catch {}
    if (response.ok && json && 'prediction' in json) return { answer: json, trip: performance.now() - began }
    const anew = response.status === 413 ? 'image/jpeg' : response.status === 415 ? 'image/png' : null
    const redrawn = anew && !drawn ? await redraw(one, anew).catch(() => null) : null
    if (redrawn) { body = redrawn; continue }
    throw Object.assign(new Error(detail(json)), {
      status: response.status, wait: response.headers.get('retry-after'), request: response.headers.get('x-request-id'),
    })
  }
}

/** A picture at most 2048 pixels long, as the browser reads it. */
async function redraw(one, type) {
  const image = make('img'), canvas = make('canvas'), context = canvas.getContext('2d')
  image.src = URL.createObjectURL(one)
  await image.decode().finally(() => URL.revokeObjectURL(image.src))
  const { naturalWidth: width, naturalHeight: height } = image
  const scale = Math.min(1, 2048 / Math.max(width, height))
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  // A drawing's ground is mostly transparent, which would be black.
  context.fillStyle = '#fff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error())), type, 0.92))
}

const detail = (json) => {
  const said = json && json.detail
  return typeof said === 'string' ? said : Array.isArray(said) ? said.map(({ msg }) => msg).filter(Boolean).join('; ') : ''
}

/** What went wrong, in words for whoever holds the picture. */
function trouble(error) {
  const { status, message, wait, request } = error
  const said = {
    400: ['The picture ends too early', 'Its file seems to be incomplete. Save or photograph it again.'],
    408: ['That took too long', 'The service gave up on this picture. Try it once more.'],
    413: ['The picture is too large', 'Choose one with fewer pixels.'],
    415: ['That is not a picture I can read', 'Choose a PNG, JPEG, WebP or GIF.'],
    422: ['No picture arrived', 'Choose it once more.'],
    429: ['Too many at once', 'Wait a moment, then try again.'],
    503: ['The service is busy, or still starting', wait > 0 ? 'Try again in ' + wait + ' s.' : 'Try again in a moment.'],
  }[status]
  if (error.unread) return { title: 'The file cannot be read', advice: 'It was moved or changed meanwhile, or is a folder. Choose it once more.', message: '', again: false }
  if (said) return { title: said[0], advice: said[1], message, again: status !== 415 && status !== 413 && status !== 400 }
  if (status) return { title: 'The service failed', advice: 'It has noted why. Try again; if it stays, ask whoever runs it.', message: request ? 'Request ' + request : message, again: true }
  return { title: 'The service cannot be reached', advice: 'Is it still running? Try again when it is.', message: '', again: true }
}

function show(entry) {
  current = entry
  picture.classList.remove('tiny')
  picture.alt = entry.name
  picture.src = entry.url
  picture.hidden = false
  invite.hidden = true
  frame.classList.add('full')
  answer.replaceChildren(...(entry.answer ? answered(entry) : entry.trouble ? failed(entry) : looking(entry)))
  answer.classList.toggle('looking', !entry.answer && !entry.trouble)
  for (const button of recent.querySelectorAll('button')) button.setAttribute('aria-current', button.entry === entry)
  const { answer: said, trouble: wrong } = entry
  spoken.textContent = said ? sentence(said) : wrong ? '' : 'Looking at ' + entry.name
  warned.textContent = wrong ? wrong.title + '. ' + wrong.advice : ''
}

function sentence({ prediction, classes, 'wikipedia info': info, definition }) {
  const best = classes && classes[0]
  const named = prediction === 'unknown' ? 'Not sure what this is' + (best ? '; most like ' + first(best.label) : '') : prediction
  return named + (best ? ', ' + percent(best.score) : '') + '. ' + ((definition && definition.text) || info || '')
}

function looking({ name }) {
  const left = waiting.length ? ', ' + waiting.length + ' more to come' : ''
  return [make('p', 'kicker', name + left), make('p', 'name', 'Looking …')]
}

function answered({ answer: said, trip, name }) {
  const { prediction, classes = [], definition, milliseconds: ms = {}, page } = said
  const unnamed = prediction === 'unknown'
  const parts = [
    make('p', 'kicker', unnamed ? 'Below 80 % I give no name' : 'This is most likely'),
    make('p', unnamed ? 'name unnamed' : 'name', unnamed ? 'I am not sure' : prediction),
  ]
  if (classes.length) parts.push(scores(classes))
  const info = said['wikipedia info']
  if (definition) {
    parts.push(make('p', 'text', definition.text), make('p', 'source', 'From ' + definition.source + '. ' + (info || '')))
  } else if (info) {
    parts.push(make('p', 'text', info + (info.length >= 500 ? '…' : '')))
    if (page && /^https?:/i.test(page.url)) {
      const link = make('a', '', page.title + ' on Wikipedia')
      Object.assign(link, { href: page.url, target: '_blank', rel: 'noopener noreferrer' })
      parts.push(make('p', 'source', link))
    }
  }
  const steps = [['decode', 'decoding'], ['inference', 'inference'], ['wikipedia', 'Wikipedia']]
    .filter(([key]) => ms[key] > 0).map(([key, word]) => word + ' ' + time(ms[key]))
  parts.push(make('p', 'time', name + ' · answered in ' + time(trip) + (steps.length ? ': ' + steps.join(', ') : '')))
  return parts
}

function scores(classes) {
  const list = make('ol', 'scores')
  list.setAttribute('aria-label', 'The ' + classes.length + ' best classes')
  for (const { label, score } of classes) {
    const [name, ...others] = label.split(',').map((one) => one.trim())
    const bar = make('i')
    bar.style.width = '0'
    requestAnimationFrame(() => requestAnimationFrame(() => { bar.style.width = 100 * Math.min(1, score) + '%' }))
    const track = make('span', 'track', bar)
    track.setAttribute('aria-hidden', 'true')
    const text = make('span', 'label', name, others.length ? make('small', '', others.join(', ')) : null)
    text.title = label
    list.append(make('li', '', text, track, make('span', 'score', percent(score))))
  }
  const note = make('span', 'note', 'named from 80 % on')
  return make('div', 'bars', list, note)
}

function failed(entry) {
  const { trouble: wrong, file: one, name } = entry
  const box = make('div', 'trouble', make('b', '', wrong.title), make('p', '', wrong.advice))
  if (wrong.message) box.append(make('p', '', make('small', '', wrong.message)))
  if (wrong.again) {
    const button = make('button', 'again', 'Try again')
    button.type = 'button'
    button.onclick = () => { drop(entry); take([one]) }
    box.append(button)
  }
  return [make('p', 'kicker', name), box]
}

function keep(entry) {
  entries.unshift(entry)
  for (const old of entries.slice(KEPT)) drop(old)
  const thumbnail = make('img')
  thumbnail.src = entry.url
  thumbnail.alt = ''
  thumbnail.onerror = () => thumbnail.replaceWith(make('span', 'blank'))
  const { prediction, classes } = entry.answer || { prediction: 'no answer' }
  const best = classes && classes[0]
  const what = prediction !== 'unknown' ? prediction : best ? first(best.label) + '?' : 'not sure'
  const button = make('button', '', thumbnail, make('span', 'what', what), ' ', make('span', 'score', best ? percent(best.score) : ''))
  button.type = 'button'
  button.entry = entry
  button.setAttribute('aria-label', what + (best ? ', ' + percent(best.score) : '') + ', ' + entry.name + ': show again')
  button.onclick = () => {
    show(entry)
    if (answer.getBoundingClientRect().top < 0) reveal()
  }
  entry.item = make('li', '', button)
  recent.prepend(entry.item)
  $('recents').hidden = false
}

/** Out of what is kept, if it is there. */
function drop(entry) {
  if (!entry.item) return
  entries.splice(entries.indexOf(entry), 1)
  entry.item.remove()
  entry.item = null
  $('recents').hidden = entries.length === 0
  forget(entry)
}

const forget = (entry) => { if (entry !== current) URL.revokeObjectURL(entry.url) }

picture.onload = () => picture.classList.toggle('tiny', picture.naturalWidth < 200 && picture.naturalHeight < 200)
picture.onerror = () => { picture.hidden = true; invite.hidden = false; frame.classList.remove('full') }
$('choose').onclick = frame.onclick = () => file.click()
$('photograph').onclick = () => camera.click()
if (matchMedia('(pointer: coarse)').matches) {
  $('photograph').hidden = false
  invite.querySelector('b').textContent = 'Photograph something'
  invite.querySelector('span').textContent = 'or choose a picture'
}
for (const input of [file, camera]) {
  input.onchange = () => { take(input.files); input.value = '' }
}
form.onsubmit = (event) => event.preventDefault()
addEventListener('paste', (event) => {
  const { files } = event.clipboardData || {}
  if (files && files.length) { event.preventDefault(); take(files) }
})
let depth = 0
const over = (inside) => frame.classList.toggle('over', inside)
const holds = ({ dataTransfer }) => dataTransfer && [...dataTransfer.types].includes('Files')
addEventListener('dragenter', (event) => {
  if (!holds(event)) return
  event.preventDefault()
  depth++
  over(true)
})
addEventListener('dragleave', () => { depth = Math.max(0, depth - 1); over(depth > 0) })
addEventListener('dragover', (event) => { if (holds(event)) event.preventDefault() })
addEventListener('drop', (event) => {
  event.preventDefault()
  depth = 0
  over(false)
  if (event.dataTransfer) take(event.dataTransfer.files)
})
$('curl').textContent = 'curl -F file=@picture.jpg ' + new URL('whatis', location.href).href
`
