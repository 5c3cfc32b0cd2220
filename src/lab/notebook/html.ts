import { AnsiUp } from 'ansi_up'
import { escapeHtml, headingId, highlight, markdownToHtml, withoutCode } from './markdown.js'
import { type Cell, type CodeCell, type MimeBundle, type Notebook, type Output, textOf } from './nbformat.js'
import { STYLE } from './style.js'

export interface HtmlOptions {
  /** Folder of the notebook, for the pictures its text names. */
  folder: string
  /** Title of the page. @default the notebook's first heading */
  title?: string
}

/** A notebook as one page that needs nothing else: code coloured, pictures inline, light and dark, no request to any host. */
export function notebookToHtml(notebook: Notebook, options: HtmlOptions): string {
  const headings = headingsOf(notebook)
  const title = options.title ?? headings[0]?.text ?? 'Notebook'
  const cells = notebook.cells.map((cell) => cellToHtml(cell, options)).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${contents(headings)}<main>
${cells}
</main>
</body>
</html>
`
}

interface Heading {
  depth: number
  text: string
}

function headingsOf(notebook: Notebook): Heading[] {
  return notebook.cells
    .filter(({ cell_type }) => cell_type === 'markdown')
    .flatMap(({ source }) => [...withoutCode(textOf(source)).matchAll(/^(#{1,6}) (.+)$/gm)])
    .map(([, marks, text]) => ({ depth: marks!.length, text: text!.trim() }))
}

function contents(headings: Heading[]): string {
  const sections = headings.filter(({ depth }) => depth === 2)
  if (sections.length < 3) return ''
  const items = sections.map(({ text }) => {
    return `<li><a href="#${escapeHtml(encodeURIComponent(headingId(text)))}">${escapeHtml(text.replace(/[*_`]/g, ''))}</a></li>`
  })
  return `<nav><details><summary>Contents</summary><ol>${items.join('')}</ol></details></nav>\n`
}

function cellToHtml(cell: Cell, options: HtmlOptions): string {
  const source = textOf(cell.source)
  if (cell.cell_type === 'markdown')
    return `<section class="text">\n${markdownToHtml(source, { folder: options.folder, attachments: cell.attachments })}</section>`
  if (cell.cell_type === 'code') return codeCellToHtml(cell, source, options)
  return `<section class="text"><pre>${escapeHtml(source)}</pre></section>`
}

function codeCellToHtml(cell: CodeCell, source: string, options: HtmlOptions): string {
  if (source.trim() === '' && cell.outputs.length === 0) return ''
  const count = cell.execution_count === null ? '' : `<span class="count">${cell.execution_count}</span>`
  const code = `<div class="input">${count}<pre class="code"><code>${highlight(source, 'typescript')}</code></pre></div>`
  const outputs = cell.outputs.map((output) => outputToHtml(output, options)).filter((html) => html !== '')
  return `<section class="cell">${code}${outputs.length > 0 ? `<div class="outputs">${outputs.join('\n')}</div>` : ''}</section>`
}

function outputToHtml(output: Output, options: HtmlOptions): string {
  switch (output.output_type) {
    case 'stream':
      return terminal(textOf(output.text), output.name)
    case 'error':
      return terminal(output.traceback.join('\n') || `${output.ename}: ${output.evalue}`, 'stderr')
    default:
      return richToHtml(output.data, options)
  }
}

/** The richest form of a display that a page can show. */
function richToHtml(data: MimeBundle, options: HtmlOptions): string {
  const has = (type: string) => data[type] !== undefined
  if (has('text/html')) return `<div class="rich wide">${textOf(data['text/html'])}</div>`
  if (has('image/svg+xml'))
    return `<div class="rich svg">${textOf(data['image/svg+xml']).replace(/<\?xml[^>]*\?>/, '')}</div>`
  for (const type of ['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
    if (has(type))
      return `<div class="rich"><img src="data:${type};base64,${textOf(data[type]).replace(/\s/g, '')}" alt="output"></div>`
  if (has('text/markdown'))
    return `<div class="rich text">${markdownToHtml(textOf(data['text/markdown']), options)}</div>`
  if (has('application/json')) return terminal(JSON.stringify(data['application/json'], null, 2), 'stdout')
  return has('text/plain') ? terminal(textOf(data['text/plain']), 'stdout') : ''
}

/** What stands in columns, which a broken line would tear apart. */
const COLUMNS = /\S {2,}\S/

/** A stream's text as a terminal would show it: colours, and lines that were overwritten. */
function terminal(text: string, name: 'stdout' | 'stderr'): string {
  const shown = text
    .replace(/\r\n/g, '\n')
    .replace(/^.*\r(?=[^\n])/gm, '')
    .replace(/\n+$/, '')
  if (shown === '') return ''
  const ansi = new AnsiUp()
  ansi.use_classes = true
  const aligned = COLUMNS.test(shown) ? ' aligned' : ''
  return `<pre class="${name}${aligned}">${ansi.ansi_to_html(shown)}</pre>`
}
