import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import sharp from 'sharp'
import { htmlTable } from '#src/core/text-table.js'
import { barChart } from '#src/lab/exercise-1/chart.js'
import { notebookToHtml } from '#src/lab/notebook/html.js'
import type { CodeCell, Output, TextCell } from '#src/lab/notebook/nbformat.js'
import { notebookOf, temporaryFolder } from './notebook-files.js'

const folder = process.cwd()
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const skip = CHROMIUM ? false : 'there is no Chromium'

function withOutput(output: Output): string {
  const notebook = notebookOf('1')
  ;(notebook.cells[0] as CodeCell).outputs = [output]
  return notebookToHtml(notebook, { folder }).split('<main>')[1]!
}
const display = (data: Record<string, unknown>) => withOutput({ output_type: 'display_data', data, metadata: {} })

test('code is coloured, and escaped', () => {
  const html = notebookToHtml(notebookOf('const a: string = "<b>" // & so on'), { folder })
  assert.match(html, /<span class="hljs-keyword">const<\/span>/)
  assert.match(html, /<span class="hljs-string">&quot;&lt;b&gt;&quot;<\/span>/)
})

test('terminal colours become spans; overwritten lines are gone; marks are escaped', () => {
  const html = withOutput({
    output_type: 'stream',
    name: 'stdout',
    text: ['\u001b[31mred\u001b[0m <x>\n', '10 %\r100 %\n'],
  })
  assert.match(html, /<span class="ansi-red-fg">red<\/span> &lt;x&gt;\n100 %<\/pre>/)
  const lines = withOutput({ output_type: 'stream', name: 'stdout', text: 'one\r\ntwo\r\n' })
  assert.match(lines, />one\ntwo<\/pre>/, 'lines of Windows are not overwritten')
})

test('what stands in columns keeps its lines, prose is broken where the page ends', () => {
  const shown = (text: string) => withOutput({ output_type: 'stream', name: 'stdout', text })
  assert.match(shown('name    calls\nready       4\n'), /<pre class="stdout aligned">/)
  assert.match(shown('By these figures B would be ahead of A from about 87 pictures on.\n'), /<pre class="stdout">/)
})

test('a table or chart that goes on beyond a narrow page shows that it does', { skip }, async (t) => {
  const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu'] })
  t.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
  /** Whether the right edge of what is shown is darker than the page, at the start and where it is scrolled to its end. */
  async function darker(shown: Record<string, unknown>): Promise<boolean[]> {
    const notebook = notebookOf('1')
    ;(notebook.cells[0] as CodeCell).outputs = [{ output_type: 'display_data', data: shown, metadata: {} }]
    await page.setContent(notebookToHtml(notebook, { folder }))
    const output = page.locator('.rich')
    const edge = async () => {
      const { x, y, width, height } = (await output.boundingBox())!
      const clip = { x: Math.floor(x + width) - 2, y: Math.floor(y + height) - 6, width: 1, height: 1 }
      const [red] = (await sharp(await page.screenshot({ clip })).stats()).channels
      return red!.mean < 250
    }
    const atStart = await edge()
    await output.evaluate((element) => element.scrollTo(1_000, 0))
    return [atStart, await edge()]
  }
  const table = `<table><tr>${'<td>wide as it is</td>'.repeat(9)}</tr></table>`
  assert.deepEqual(await darker({ 'text/html': table }), [true, false])
  assert.deepEqual(await darker({ 'image/svg+xml': barChart([]) }), [true, false])
  assert.deepEqual(await darker({ 'text/html': '<table><tr><td>narrow</td></tr></table>' }), [false, false])

  // A drawing of the text is a picture that one cannot see through.
  await page.setContent(notebookToHtml(notebookOf('# F\n\n![who](figures/four-versions.svg)'), { folder: 'notebooks' }))
  const drawing = page.locator('.drawing')
  const [shown, whole] = await drawing.evaluate(({ clientWidth, scrollWidth }) => [clientWidth, scrollWidth])
  assert.ok(shown! < 390 && whole! >= 34 * 15, `${whole} in ${shown}`)
  const { x, y, width, height } = (await drawing.boundingBox())!
  const ends = { x: Math.floor(x + width) - 2, y: Math.floor(y + height) - 6, width: 1, height: 1 }
  const [red] = (await sharp(await page.screenshot({ clip: ends })).stats()).channels
  assert.ok(red!.mean < 250)
})

test('the richest form of a display is shown', () => {
  assert.match(
    display({ 'text/plain': 'no', 'text/html': ['<table>', '</table>'] }),
    /<div class="rich wide"><table><\/table><\/div>/,
  )
  assert.match(display({ 'image/png': 'YWJj\n' }), /<img src="data:image\/png;base64,YWJj" alt="output">/)
  assert.match(
    display({ 'image/svg+xml': ['<?xml version="1.0"?>\n', '<svg></svg>'] }),
    /<div class="rich svg">\s*<svg><\/svg>/,
  )
  assert.match(display({ 'text/markdown': '**b**' }), /<strong>b<\/strong>/)
  assert.match(display({ 'application/json': { a: 1 } }), /&quot;a&quot;: 1/)
})

test('an error output shows its traceback', () => {
  const html = withOutput({ output_type: 'error', ename: 'E', evalue: 'v', traceback: ['\u001b[1mline\u001b[0m'] })
  assert.match(html, /<pre class="stderr">.*line/)
  const without = withOutput({ output_type: 'error', ename: 'E', evalue: 'v', traceback: [] })
  assert.match(without, /<pre class="stderr">E: v<\/pre>/)
})

test('a column without a head has an empty cell there, no head', () => {
  const html = notebookToHtml(notebookOf('# T\n\n|  | b |\n|---|---|\n| 1 | 2 |'), { folder })
  assert.match(html, /<thead><tr><td><\/td>\s*<th>b<\/th>/)
})

test('a table of results is printed whole', { skip }, async () => {
  const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu'] })
  try {
    // A4 without the usual margins.
    const tab = await browser.newPage({ viewport: { width: 680, height: 900 } })
    await tab.emulateMedia({ media: 'print' })
    const table = htmlTable([
      ['version', 'seconds', 'loading', 'speed-up', 'efficiency', 'pictures/s', 'moved', 'memory'],
      ['C2 actors, by picture', '32.10', '11.04', '1.02', '0.38', '23.5', '741 KB', '1,471 MB'],
    ])
    const notebook = notebookOf('1')
    ;(notebook.cells[0] as CodeCell).outputs = [
      { output_type: 'display_data', data: { 'text/html': table }, metadata: {} },
    ]
    await tab.setContent(notebookToHtml(notebook, { folder }))
    const [whole, room] = await tab.evaluate<[number, number]>(
      "[document.querySelector('table').getBoundingClientRect().right, innerWidth]",
    )
    assert.ok(whole <= room, `${whole} of ${room}`)
  } finally {
    await browser.close()
  }
})

test('Markdown: tables, headings that can be linked to, code, HTML boxes', () => {
  const html = notebookToHtml(
    notebookOf(
      '# A title\n\n[see](#A-title)\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```typescript\nconst x = 1\n```\n\n<div class="alert alert-info">\n\n**Note**\n\n</div>',
    ),
    { folder },
  )
  assert.match(html, /<h1 id="A-title">A title<\/h1>/)
  assert.match(html, /<a href="#A-title">see<\/a>/)
  assert.match(html, /<div class="wide"><table><thead>[\s\S]*<th align="right">b<\/th>/)
  assert.match(html, /<div class="alert alert-info">\s*<p><strong>Note<\/strong><\/p>/)
  assert.match(html, /hljs-keyword/)
  assert.match(html, /<title>A title<\/title>/)
  const others = notebookToHtml(notebookOf('# T\n\n```cobol\nIF A < B\n```\n\n```json title="x"\n[1]\n```'), { folder })
  assert.match(others, /IF A &lt; B/, 'a language that is not known')
  assert.match(others, /<span class="hljs-number">1</, 'a language with more behind it')
})

test('a line of text does not end between a number and its unit; code stays as it is', () => {
  const html = notebookToHtml(
    notebookOf('# T\n\n- it took 12.5 s, **82 %** of them for 741 KB\n- `5 % 2` of 3 sheets'),
    {
      folder,
    },
  )
  assert.match(html, /took 12\.5\u00a0s, <strong>82\u00a0%<\/strong> of them for 741\u00a0KB/)
  assert.match(html, /<code>5 % 2<\/code> of 3 sheets/)
})

test('pictures of the text are taken into the page, others are not fetched', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'a b.png'), 'png')
  const html = notebookToHtml(
    notebookOf('# P\n\n![mine](a%20b.png) <img src="a%20b.png"> ![far](https://example.org/x.png) ![gone](none.png)'),
    { folder },
  )
  assert.equal(html.match(/data:image\/png;base64,cG5n/g)?.length, 2)
  assert.doesNotMatch(html, /example\.org/)
  assert.match(html, /<em>far<\/em> <em>gone<\/em>/)
  const notebook = notebookOf('# P\n\n![attached](attachment:c%20d.png)')
  ;(notebook.cells[0] as TextCell).attachments = { 'c d.png': { 'image/png': 'YWJj' } }
  assert.match(notebookToHtml(notebook, { folder }), /<img src="data:image\/png;base64,YWJj" alt="attached">/)
})

test('the page asks no host for anything, and forbids it', () => {
  const html = notebookToHtml(notebookOf('# T', '1'), { folder })
  assert.match(html, /default-src 'none'/)
  assert.doesNotMatch(html, /(src|href)="https?:|@import|url\(/)
  assert.match(html, /name="viewport"/)
  assert.match(html, /prefers-color-scheme: dark/)
})

test('the contents name headings, not the comments of code', () => {
  const code = '# T\n\n```bash\n## a comment\nrun\n```'
  const html = notebookToHtml(notebookOf(code, '## One', '## Two', '## Three'), { folder })
  assert.match(html, /<ol><li><a href="#One">One<\/a><\/li><li><a href="#Two">/)
  const odd = notebookToHtml(notebookOf('# T', '## One', '## Two', '## 100 % & more'), { folder })
  assert.match(odd, /<a href="#100-%25-%26-more">100 % &amp; more<\/a>/)
  assert.doesNotMatch(
    notebookToHtml(notebookOf('# T', '## One', '## Two'), { folder }),
    /<nav>/,
    'for two there are none',
  )
})

test('a cell’s number can be heard', () => {
  const notebook = notebookOf('1')
  ;(notebook.cells[0] as CodeCell).execution_count = 7
  assert.match(notebookToHtml(notebook, { folder }), /<span class="count">7<\/span>/)
})

test('on a telephone a chart keeps a size at which it can be read, and scrolls', () => {
  const css = notebookToHtml(notebookOf('1'), { folder }).replaceAll(/\s+/g, ' ')
  assert.match(
    css,
    /@media \(max-width: 40rem\) \{.*\.rich\.svg \{ overflow-x: auto; \} \.rich\.svg > svg \{ min-width: 34rem; \}/,
  )
})
