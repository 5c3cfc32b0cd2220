import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { page, pagePolicy } from '#src/ray-server/page.js'
import { MediaWikiStandIn } from '../stand-ins/mediawiki.js'
import { service, url } from './helpers.js'
import { HAMMER, pageServer, type Reply } from './page-server.js'
import { ibis } from './pictures.js'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
const skip = CHROMIUM ? false : 'there is no Chromium'

test('the page is small, whole, and asks nothing of other hosts', () => {
  const html = page()
  assert.ok(Buffer.byteLength(html) < 60_000, `${Buffer.byteLength(html)} bytes`)
  assert.doesNotMatch(
    html.replaceAll('http://www.w3.org/2000/svg', ''),
    /https?:\/\/|@import|url\(|src=|style="| on[a-z]+="/,
  )
  assert.doesNotMatch(pagePolicy(), /unsafe|https?:|\*/)
})

describe('the page in a browser', { skip }, () => {
  let browser: Browser
  let small: Buffer
  let large: Buffer
  before(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM!,
      args: FLAGS,
    })
    const create = { width: 64, height: 48, channels: 3 as const, background: '#b0713c' }
    small = await sharp({ create }).png().toBuffer()
    const noise = { type: 'gaussian' as const, mean: 128, sigma: 60 }
    large = await sharp({ create: { ...create, width: 2600, height: 400, noise } })
      .png()
      .toBuffer()
  })
  after(() => browser?.close())

  /** The page, opened; it is an error if it asks another host, breaks its policy or throws. */
  async function open(t: TestContext, { options = {}, ...context }: BrowserContextOptions & { options?: object } = {}) {
    const server = await pageServer(options)
    const window = await browser.newContext({ reducedMotion: 'reduce', ...context })
    const tab = await window.newPage()
    const problems: string[] = []
    tab.on('pageerror', (error) => problems.push(error.message))
    tab.on('console', (message) => {
      if (message.type() === 'error' && !/status of \d|net::ERR/.test(message.text())) problems.push(message.text())
    })
    tab.on('request', (request) => {
      if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) problems.push(request.url())
    })
    // So that the browser hands choosers over before the first key is pressed.
    tab.on('filechooser', () => {})
    t.after(async () => {
      await window.close()
      await server.close()
      assert.deepEqual(problems, [])
    })
    await tab.goto(server.url)
    return {
      ...server,
      tab,
      reply: (...replies: Reply[]) => (server.state.reply = (i) => replies[i] ?? replies.at(-1)!),
    }
  }
  const give = (tab: Page, ...names: string[]) =>
    tab.setInputFiles(
      '#file',
      names.map((name) => ({ name, mimeType: 'image/png', buffer: small })),
    )
  const shown = (tab: Page, text: string) => tab.locator('#answer').getByText(text).first().waitFor()

  test('sends the picture as it is and shows name, scores, text, link and time', async (t) => {
    const { tab, posts } = await open(t)
    await give(tab, 'my hammer.png')
    await tab.locator('.name', { hasText: /^hammer$/ }).waitFor()
    assert.equal(posts.length, 1)
    assert.equal(posts[0]!.url, '/whatis?details=1')
    assert.match(posts[0]!.body.toString('latin1'), /name="file"; filename="my hammer.png"\r\nContent-Type: image\/png/)
    assert.ok(posts[0]!.body.includes(small))
    const scores = await tab.locator('.scores li').allInnerTexts()
    assert.deepEqual(
      scores.map((line) => line.split(/\s*\n\s*|\u00a0%/)[0]),
      ['hammer', 'hatchet', 'plunger', 'carpenter’s kit', 'screwdriver'].map((name, i) =>
        [2, 3].includes(i) ? `${name}${i === 2 ? 'plumber’s helper' : 'tool kit'}` : name,
      ),
    )
    assert.match(scores[0]!, /97\u00a0%/)
    assert.equal(await tab.locator('.scores .label').nth(2).getAttribute('title'), HAMMER.classes[2]!.label)
    const width = (selector: string) => `document.querySelector('${selector}').getBoundingClientRect().width`
    const right = `Math.abs(${width('.track i')} / ${width('.track')} - 0.9731) < 0.01`
    while (!(await tab.evaluate(right)));
    assert.equal(await tab.locator('.text').innerText(), HAMMER['wikipedia info'])
    const link = tab.getByRole('link', { name: 'Hammer on Wikipedia' })
    assert.equal(await link.getAttribute('href'), HAMMER.page.url)
    assert.equal(await link.getAttribute('rel'), 'noopener noreferrer')
    const time = (await tab.locator('.time').innerText()).replaceAll('\u00a0', ' ')
    assert.match(time, /^my hammer\.png · answered in [\d.]+ m?s: decoding 2 ms, inference 104 ms, Wikipedia 86 ms$/)
    assert.equal(await tab.locator('#picture').getAttribute('alt'), 'my hammer.png')
    assert.match(await tab.getByRole('status').innerText(), /^hammer, 97.%\. A hammer is a tool/)
    assert.equal(await tab.locator('body.busy').count(), 0)
    // So that the same may be chosen once more.
    assert.equal(await tab.locator('#file').inputValue(), '')
  })

  test('takes pictures that are dropped or pasted', async (t) => {
    const { tab, posts } = await open(t)
    for (const kind of ['drop', 'paste']) {
      await tab.evaluate(`{
        const data = new DataTransfer()
        data.items.add(new File([new Uint8Array([${small.join()}])], '${kind}.png', { type: 'image/png' }))
        const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data }
        document.body.dispatchEvent(new ${kind === 'drop' ? 'DragEvent' : 'ClipboardEvent'}('${kind}', options))
      }`)
      await shown(tab, `${kind}.png`)
      await tab.locator('.time').waitFor()
    }
    assert.equal(await tab.locator('#frame.over').count(), 0)
    assert.deepEqual(
      posts.map(({ body }) => /filename="(\w+)\.png"/.exec(body.toString('latin1'))?.[1]),
      ['drop', 'paste'],
    )
  })

  test('shows that a file may be dropped as long as one is over it, and leaves texts alone', async (t) => {
    const { tab } = await open(t)
    /** Whether the page takes the event up, and shows that it would take a file. */
    const event = (type: string, holds: 'file' | 'text') =>
      tab.evaluate<[boolean, boolean]>(`{
        const data = new DataTransfer()
        data.items.add(${holds === 'file' ? "new File([], 'a.png')" : "'a text', 'text/plain'"})
        const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data }
        const event = new ${type === 'paste' ? 'ClipboardEvent' : 'DragEvent'}('${type}', options)
        const left = document.body.dispatchEvent(event)
        ;[!left, document.getElementById('frame').classList.contains('over')]
      }`)
    for (const type of ['dragenter', 'dragover', 'paste'])
      assert.deepEqual(await event(type, 'text'), [false, false], type)
    assert.deepEqual(await event('dragenter', 'file'), [true, true])
    assert.deepEqual(await event('dragover', 'file'), [true, true])
    // Into something within.
    assert.deepEqual(await event('dragenter', 'file'), [true, true])
    assert.deepEqual((await event('dragleave', 'file'))[1], true)
    assert.deepEqual((await event('dragleave', 'file'))[1], false)
    for (const type of ['dragenter', 'drop', 'dragenter', 'dragleave']) await event(type, 'file')
    assert.equal(await tab.locator('#frame.over').count(), 0)
  })

  test('says that it is not sure, and what the picture is most like', async (t) => {
    const { tab, reply } = await open(t)
    const classes = [{ label: 'basketball', score: 0.62 }]
    reply({
      body: { prediction: 'unknown', classes, milliseconds: { decode: 0.3, inference: 100, wikipedia: 0 }, page: null },
    })
    await give(tab, 'ball.png')
    await shown(tab, 'I am not sure')
    assert.equal(await tab.locator('.scores li').count(), 1)
    assert.match(await tab.getByRole('status').innerText(), /^Not sure what this is; most like basketball, 62.%/)
    assert.match(await tab.locator('.time').innerText(), /: decoding 1.ms, inference 100.ms$/)
    assert.match(await tab.locator('#recent').innerText(), /basketball\?/)
    const scores = [0.0532, 0.7968, 0.8, 0.9962, 0.99999, 1]
    reply({ body: { prediction: 'unknown', classes: scores.map((score) => ({ label: 'ball', score })) } })
    await give(tab, 'balls.png')
    await tab.locator('.scores li').nth(5).waitFor()
    const told = (await tab.locator('.scores .score').allInnerTexts()).map((text) => text.replace('\u00a0', ' '))
    assert.deepEqual(told, ['5.3 %', '79.6 %', '80 %', '99.6 %', '99.9 %', '100 %'])
    reply({ body: { prediction: 'unknown' } })
    await give(tab, 'nothing.png')
    await tab.getByRole('button', { name: 'not sure, nothing.png: show again', exact: true }).waitFor()
  })

  test('shows WordNet’s definition when Wikipedia cannot be reached, and an answer without details', async (t) => {
    const { tab, reply } = await open(t)
    const sentence = 'Wikipedia could not be reached (no answer within 5 s).'
    const definition = { text: 'a hand tool with a heavy rigid head', source: 'WordNet 3.1' }
    reply({ body: { ...HAMMER, 'wikipedia info': sentence, definition, page: null } }, { body: { prediction: 'cat' } })
    await give(tab, 'hammer.png')
    await shown(tab, definition.text)
    assert.equal(await tab.locator('.source').innerText(), `From WordNet 3.1. ${sentence}`)
    assert.match(await tab.getByRole('status').innerText(), /^hammer, 97.%\. a hand tool/)
    await give(tab, 'cat.png')
    await tab.locator('.name', { hasText: /^cat$/ }).waitFor()
  })

  test('shows what it is told as text, and links nowhere but to the web', async (t) => {
    const { tab, reply } = await open(t)
    const mark = '<img src=x onerror=alert(1)>'
    const classes = [{ label: mark, score: 1 }]
    reply({
      body: {
        ...HAMMER,
        prediction: mark,
        classes,
        'wikipedia info': mark,
        page: { title: 'x', url: 'javascript:alert(1)' },
      },
    })
    await give(tab, `${mark}.png`)
    await tab.locator('.name', { hasText: mark }).waitFor()
    assert.equal(await tab.locator('.answer img, .answer a, .recent li img[src=x]').count(), 0)
  })

  test('has words for each failure', async (t) => {
    const { tab, reply } = await open(t)
    const cases: [Reply, RegExp, RegExp][] = [
      [{ status: 400, body: { detail: 'The picture ends too early.' } }, /ends too early/, /ends too early/],
      [{ status: 408, body: { detail: 'Time limit' } }, /took too long/, /Time limit/],
      [{ status: 413, body: { detail: 'Too large' } }, /too large/, /fewer pixels/],
      [{ status: 415, body: { detail: 'Not a picture' } }, /not a picture/, /PNG, JPEG, WebP or GIF/],
      [
        { status: 422, body: { detail: [{ loc: ['body', 'file'], msg: 'Field required', type: 'missing' }] } },
        /No picture/,
        /Field required/,
      ],
      [{ status: 503, headers: { 'retry-after': '2' }, body: { detail: 'Busy' } }, /busy/, /in 2 s/],
      [{ status: 500, headers: { 'x-request-id': 'abc-7' }, body: 'Internal Server Error' }, /failed/, /Request abc-7/],
      [{ status: 200, body: '<h1>Welcome to the hotel</h1>' }, /failed/, /.*/],
      [{ status: 200, body: { status: 'ok' } }, /failed/, /.*/],
      ['cut', /cannot be reached/, /still running/],
    ]
    for (const [answer, title, advice] of cases) {
      reply(answer)
      await tab.locator('#answer').evaluate('(answer) => answer.replaceChildren()')
      await give(tab, 'picture.png')
      await tab.locator('.trouble b').waitFor()
      assert.match(await tab.locator('.trouble b').innerText(), title)
      assert.match(await tab.locator('.trouble').innerText(), advice)
      assert.match((await tab.getByRole('alert').textContent())!, title)
      const hopeless = answer !== 'cut' && typeof answer === 'object' && [400, 413, 415].includes(answer.status!)
      assert.equal(await tab.getByRole('button', { name: 'Try again' }).count(), hopeless ? 0 : 1)
    }
    reply({ body: HAMMER })
    await tab.getByRole('button', { name: 'Try again' }).click()
    await tab.locator('.name', { hasText: /^hammer$/ }).waitFor()
  })

  test('says so when a file has gone since it was chosen, as pictures of a cloud do', async (t) => {
    const { tab, reply } = await open(t)
    const file = join(mkdtempSync(join(tmpdir(), 'rayito-page-')), 'gone.png')
    writeFileSync(file, small)
    reply({ status: 503, body: { detail: 'Busy' } })
    await tab.setInputFiles('#file', file)
    const again = tab.getByRole('button', { name: 'Try again' })
    await again.waitFor()
    rmSync(dirname(file), { recursive: true })
    await again.click()
    await tab.locator('.trouble b', { hasText: 'The file cannot be read' }).waitFor()
    assert.equal(await again.count(), 0)
  })

  test('makes a picture smaller only when it must be', async (t) => {
    const { tab, posts } = await open(t, { options: { maxBytes: large.length - 1 } })
    await tab.setInputFiles('#file', { name: 'large.png', mimeType: 'image/png', buffer: large })
    await tab.locator('.time').waitFor()
    const { body } = posts[0]!
    const start = body.indexOf('\r\n\r\n') + 4
    const { format, width, height } = await sharp(body.subarray(start)).metadata()
    assert.deepEqual({ format, width, height }, { format: 'jpeg', width: 2048, height: 315 })
  })

  test('draws what only the browser can read, and sends it once more', async (t) => {
    const { tab, posts, reply } = await open(t)
    const refused = { status: 415, body: { detail: 'Not a picture' } }
    reply(refused, { body: HAMMER }, refused, { body: HAMMER })
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="9" height="9"/></svg>',
    )
    for (const [i, file] of [
      { name: 'bitmap.bmp', mimeType: 'image/png', buffer: await bitmap(svg) },
      { name: 'drawing.svg', mimeType: 'image/svg+xml', buffer: svg },
    ].entries()) {
      await tab.setInputFiles('#file', file)
      await tab.locator('#recent li').nth(i).waitFor()
      const png = posts[2 * i + 1]!.body
      const pixels = await sharp(png.subarray(png.indexOf('\x89PNG', 'latin1')))
        .removeAlpha()
        .raw()
        .toBuffer()
      // The ground of the drawing is white.
      assert.deepEqual([pixels[0], pixels.at(-1)], [0, 255 * i], file.name)
    }
  })

  test('answers a picture that the browser itself cannot show, and shows the next', async (t) => {
    const { tab } = await open(t)
    await tab.setInputFiles('#file', { name: 'scan.tif', mimeType: 'image/tiff', buffer: Buffer.from('II*') })
    await tab.locator('.time', { hasText: 'scan.tif' }).waitFor()
    await tab.locator('#recent .blank').waitFor()
    const visible = async () => [await tab.locator('#picture').isVisible(), await tab.locator('#invite').isVisible()]
    assert.deepEqual(await visible(), [false, true])
    await give(tab, 'small.png')
    await tab.locator('#picture.tiny').waitFor()
    assert.deepEqual(await visible(), [true, false])
    await tab.setInputFiles('#file', { name: 'large.png', mimeType: 'image/png', buffer: large })
    await tab.locator('.time', { hasText: 'large.png' }).waitFor()
    await tab.locator('#picture:not(.tiny)').waitFor()
  })

  test('a failure of what is not looked at any more is kept', async (t) => {
    const { tab, reply, server } = await open(t)
    // A browser may ask once more where a connection breaks that it had used before.
    reply({ body: HAMMER }, 'silence', 'cut')
    await give(tab, 'a.png')
    await tab.locator('.time').waitFor()
    const asked = once(server, 'post')
    await give(tab, 'b.png')
    await asked
    await tab.getByRole('button', { name: /a\.png/ }).click()
    await tab.locator('.time', { hasText: 'a.png' }).waitFor()
    server.closeAllConnections()
    await tab.getByRole('button', { name: 'no answer, b.png: show again', exact: true }).click()
    await tab.locator('.trouble b', { hasText: 'cannot be reached' }).waitFor()
  })

  test('a new picture ends the question about the one before', async (t) => {
    const { tab, posts, reply, server } = await open(t)
    reply('silence', { body: HAMMER })
    const asked = once(server, 'post')
    await give(tab, 'first.png', 'another.png')
    await asked
    await shown(tab, 'Looking …')
    await shown(tab, 'first.png, 1 more to come')
    assert.equal(await tab.locator('body.busy').count(), 1)
    await give(tab, 'second.png')
    await tab.locator('.name', { hasText: /^hammer$/ }).waitFor()
    await posts[0]!.closed
    assert.equal(await tab.locator('#recent li').count(), 1)
  })

  test('answers several pictures one after another and keeps the last twelve', async (t) => {
    const { tab, posts, reply } = await open(t)
    reply(...Array.from({ length: 14 }, (_, i) => ({ body: { ...HAMMER, prediction: `thing ${i + 1}` } })))
    await give(tab, ...Array.from({ length: 14 }, (_, i) => `${i + 1}.png`))
    await tab.locator('.name', { hasText: /^thing 14$/ }).waitFor()
    const buttons = tab.locator('#recent button')
    assert.equal(await buttons.count(), 12)
    await buttons.last().click()
    await tab.locator('.name', { hasText: /^thing 3$/ }).waitFor()
    assert.equal(await tab.locator('#picture').getAttribute('alt'), '3.png')
    assert.equal(await tab.locator('#recent [aria-current=true]').count(), 1)
    assert.equal(posts.length, 14)
  })

  test('a failure among several pictures stays to be looked at, and goes when it is tried again', async (t) => {
    const { tab, reply } = await open(t)
    const busy = { status: 503, body: { detail: 'Busy' } }
    reply({ body: HAMMER }, busy, { body: HAMMER })
    await give(tab, 'a.png', 'b.png', 'c.png')
    const kept = tab.locator('#recent button')
    await tab.locator('.time', { hasText: 'c.png' }).waitFor()
    assert.equal(await kept.count(), 3)
    await tab.getByRole('button', { name: 'no answer, b.png: show again', exact: true }).click()
    await tab.locator('.trouble b', { hasText: 'busy' }).waitFor()
    await tab.getByRole('button', { name: 'Try again' }).click()
    await tab.locator('.time', { hasText: 'b.png' }).waitFor()
    assert.equal(await kept.count(), 3)
    assert.doesNotMatch(await tab.locator('#recent').innerText(), /no answer/)
  })

  test('an answer that is looked at again comes into view', async (t) => {
    const { tab, reply } = await open(t, { viewport: { width: 390, height: 640 } })
    reply({ body: { ...HAMMER, 'wikipedia info': 'A hammer is a tool. '.repeat(50) } })
    await give(tab, 'a.png', 'b.png')
    await tab.locator('.time', { hasText: 'b.png' }).waitFor()
    assert.match(await tab.locator('.text').innerText(), /tool\. ?…$/)
    await tab.getByRole('button', { name: /a.png/ }).click()
    await tab.locator('.time', { hasText: 'a.png' }).waitFor()
    const place = await tab.locator('#answer .name').boundingBox()
    assert.ok(place!.y >= 0 && place!.y < 640, `${place!.y}`)
  })

  test('is worked by the keyboard, and everything has a name', async (t) => {
    const { tab } = await open(t)
    await tab.keyboard.press('Tab')
    assert.equal(await tab.evaluate('document.activeElement.id'), 'choose')
    const chooser = tab.waitForEvent('filechooser')
    await tab.keyboard.press('Enter')
    await (await chooser).setFiles({ name: 'k.png', mimeType: 'image/png', buffer: small })
    await tab.locator('.time').waitFor()
    const seen: string[] = []
    for (let i = 0; i < 5; i++) {
      await tab.keyboard.press('Tab')
      seen.push(await tab.evaluate('document.activeElement.ariaLabel || document.activeElement.textContent'))
    }
    assert.deepEqual(
      seen.map((name) => name.replaceAll('\u00a0', ' ')),
      ['Hammer on Wikipedia', 'hammer, 97 %, k.png: show again', 'Its HTTP interface', 'Metrics', 'Ask from a program'],
    )
    for (const button of await tab.locator('button:visible').all())
      assert.ok((await button.getAttribute('aria-label')) || (await button.innerText()))
    assert.equal(await tab.locator('html').getAttribute('lang'), 'en')
    assert.equal(await tab.locator('h1').count(), 1)
  })

  test('fits a phone, which can photograph; reads in the dark', async (t) => {
    const { tab } = await open(t, {
      viewport: { width: 320, height: 640 },
      hasTouch: true,
      isMobile: true,
      colorScheme: 'dark',
    })
    assert.match(await tab.locator('#invite').innerText(), /Photograph something\s+or choose a picture/)
    const chooser = tab.waitForEvent('filechooser')
    await tab.getByRole('button', { name: 'Photograph' }).tap()
    assert.equal(await (await chooser).element().getAttribute('capture'), 'environment')
    await give(tab, 'x'.repeat(80))
    await tab.locator('.time').waitFor()
    const top = await tab.evaluate<number>("document.querySelector('#answer').getBoundingClientRect().top")
    assert.ok(top >= 0 && top < 384, `the answer begins at ${top} of 640`)
    // What is wider widens the page, and is not scrolled to: the phone shows all of it smaller.
    assert.equal(await tab.evaluate('Math.max(innerWidth, document.documentElement.scrollWidth)'), 320)
    const [ground, ink] = await tab.evaluate<string[]>(
      "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.querySelector('h1')).color]",
    )
    assert.ok(contrast(ground!, ink!) > 7, `${ground} ${ink}`)
  })

  test('every text can be read against its ground, by day and by night', async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { tab, reply } = await open(t, { colorScheme })
      reply({ body: HAMMER }, { status: 503, body: { detail: 'Busy' } })
      for (const [name, wait] of [
        ['a.png', '.time'],
        ['b.png', '.trouble'],
      ]) {
        await give(tab, name!)
        await tab.locator(wait!).waitFor()
        const texts = await tab.evaluate<[string, string, string][]>(TEXTS)
        for (const [text, ground, ink] of texts)
          assert.ok(
            contrast(ground!, ink!) >= 4.5,
            `${colorScheme}: ${text} ${ground} ${ink} ${contrast(ground!, ink!)}`,
          )
      }
    }
  })

  test('without JavaScript it is a plain form', async (t) => {
    const { tab, posts } = await open(t, { javaScriptEnabled: false })
    assert.equal(
      await tab
        .getByText(/Drop a picture|Choose a picture/)
        .filter({ visible: true })
        .count(),
      0,
    )
    await tab.setInputFiles('#plain', { name: 'plain.png', mimeType: 'image/png', buffer: small })
    await tab.getByRole('button', { name: 'Send' }).click()
    await tab.waitForURL(/whatis/)
    const { body } = posts[0]!
    assert.ok(body.includes(small))
    // Nothing else: the field that scripts use would be an empty file of the same name.
    assert.equal(body.toString('latin1').split('name="file"').length, 2)
  })
})

describe('the page of the service itself', { skip }, () => {
  let wiki: MediaWikiStandIn
  let browser: Browser
  before(async () => {
    wiki = await MediaWikiStandIn.start({ pages: { Ibis: 'The ibis is a wading bird.' } })
    process.env.RAYITO_WIKIPEDIA = wiki.endpoint
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: FLAGS })
  })
  service()
  after(async () => {
    await browser?.close()
    await wiki.close()
  })

  test('its documentation asks the service behind a proxy that gives it a path of its own, too', async (t) => {
    const proxy = createServer(async (request, response) => {
      const [, path] = /^\/behind(\/.*)$/.exec(request.url!) ?? []
      if (!path) return void response.writeHead(404).end()
      const answer = await fetch(url(path))
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! })
      response.end(await answer.text())
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const tab = await browser.newPage()
    t.after(async () => {
      await tab.close()
      proxy.close()
    })
    await tab.goto(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/behind/docs`)
    const route = tab.locator('details', { has: tab.getByText('/v2', { exact: true }) })
    await route.locator('summary').click()
    await route.getByRole('button', { name: 'Send' }).click()
    const answer = route.locator('output', { hasText: / ms/ })
    assert.match(await answer.innerText(), /^200 [\s\S]*"name": "rayito"/)
    proxy.closeAllConnections()
    await once(proxy.close(), 'close')
    await route.getByRole('button', { name: 'Send' }).click()
    await route.locator('output', { hasText: /^No answer \(.+\)\. Is the server still running\?$/ }).waitFor()
  })

  test('its documentation fits a phone', async () => {
    const tab = await browser.newPage({ viewport: { width: 320, height: 640 } })
    await tab.goto(url('/docs'))
    await tab.locator('details').first().waitFor()
    assert.ok(await tab.evaluate('document.documentElement.scrollWidth <= innerWidth'))
    await tab.close()
  })

  test('tells a bird, what Wikipedia says of it, and what is no picture', async () => {
    const tab = await browser.newPage()
    const problems: string[] = []
    tab.on('pageerror', (error) => problems.push(error.message))
    tab.on('console', (message) => {
      if (message.type() === 'error' && !/status of 415/.test(message.text())) problems.push(message.text())
    })
    await tab.goto(url('/'))
    const buffer = Buffer.from(await ibis())
    await tab.setInputFiles('#file', { name: 'bird.png', mimeType: 'image/png', buffer })
    await tab.locator('.name', { hasText: /^ibis$/ }).waitFor()
    assert.match(await tab.locator('.scores li').first().innerText(), /^ibis\s*sacred ibis\s+95.%$/)
    assert.equal(await tab.locator('.text').innerText(), 'The ibis is a wading bird.')
    assert.equal(
      await tab.getByRole('link', { name: 'Ibis on Wikipedia' }).getAttribute('href'),
      `${wiki.endpoint}/wiki/Ibis`,
    )
    assert.match(await tab.locator('.time').innerText(), /^bird\.png · answered in .*: decoding .*, inference /)
    await tab.setInputFiles('#file', { name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('notes') })
    await tab.locator('.trouble b', { hasText: 'That is not a picture I can read' }).waitFor()
    assert.deepEqual(problems, [])
  })
})

/** Every text that can be seen, its ground and its colour. */
const TEXTS = `(() => {
  const solid = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return /rgba\\(.*, 0\\)/.test(backgroundColor) ? solid(element.parentElement) : backgroundColor
  }
  return [...document.querySelectorAll('p, a, small, b, button, .label, .score, .note, li, summary, h1, h2')]
    .filter((element) => element.checkVisibility() && element.textContent.trim())
    .map((element) => [element.textContent.slice(0, 30), solid(element), getComputedStyle(element).color])
})()`

/** The ratio of WCAG 2. */
function contrast(a: string, b: string): number {
  const light = (colour: string) => {
    const [r, g, b] = colour.match(/[\d.]+/g)!.map((part) => {
      const value = Number(part) / 255
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y)
  return (bright! + 0.05) / (dark! + 0.05)
}

/** A Windows bitmap, which browsers read. */
async function bitmap(svg: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(svg).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const row = Math.ceil((info.width * 3) / 4) * 4
  const pixels = Buffer.alloc(row * info.height)
  for (let y = 0; y < info.height; y++)
    data.copy(pixels, (info.height - 1 - y) * row, y * info.width * 3, (y + 1) * info.width * 3)
  const head = Buffer.alloc(54)
  head.write('BM')
  head.writeUInt32LE(54 + pixels.length, 2)
  head.writeUInt32LE(54, 10)
  head.writeUInt32LE(40, 14)
  head.writeInt32LE(info.width, 18)
  head.writeInt32LE(info.height, 22)
  head.writeUInt16LE(1, 26)
  head.writeUInt16LE(24, 28)
  head.writeUInt32LE(pixels.length, 34)
  return Buffer.concat([head, pixels])
}
