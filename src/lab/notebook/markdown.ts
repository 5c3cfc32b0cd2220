import { readFileSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import hljs from 'highlight.js/lib/core'
import bash from 'highlight.js/lib/languages/bash'
import json from 'highlight.js/lib/languages/json'
import python from 'highlight.js/lib/languages/python'
import typescript from 'highlight.js/lib/languages/typescript'
import { Marked, type Tokens } from 'marked'

hljs.registerLanguage('typescript', typescript)
hljs.registerLanguage('python', python)
hljs.registerLanguage('json', json)
hljs.registerLanguage('bash', bash)

const PICTURES: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.svg': 'image/svg+xml',
}

/** A number before its unit: a line does not end between them. */
const MEASURE = /(\d) (?=(?:%|ms|s|[KMG]?B)(?![\w%]))/g

/** Text as it may stand in HTML, also inside an attribute. */
export function escapeHtml(text: string): string {
  const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (mark) => marks[mark]!)
}

/** Source code as HTML with its parts coloured by class; as it is when the language is not known. */
export function highlight(code: string, language: string): string {
  return hljs.getLanguage(language) ? hljs.highlight(code, { language }).value : escapeHtml(code)
}

/** Id of a heading, as Jupyter makes it, so that a notebook's own links (`#The-four-versions`) work. */
export function headingId(text: string): string {
  return text.trim().replace(/\s+/g, '-')
}

/** Markdown without its fenced code, whose comments may look like headings. */
export function withoutCode(markdown: string): string {
  return markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '')
}

export interface MarkdownOptions {
  /** Folder of the notebook: pictures it names are taken into the page. */
  folder: string
  /** Pictures attached to the cell (`attachment:NAME`), as nbformat keeps them. */
  attachments?: Record<string, Record<string, unknown>>
}

/** A Markdown cell as HTML: GitHub's Markdown with HTML let through, as in Jupyter. Nothing in it loads from elsewhere. */
export function markdownToHtml(markdown: string, options: MarkdownOptions): string {
  const marked = new Marked({
    gfm: true,
    async: false,
    walkTokens(token) {
      if (token.type === 'text') token.text = token.text.replace(MEASURE, '$1\u00a0')
    },
    renderer: {
      code({ text, lang = '' }: Tokens.Code) {
        return `<pre class="code"><code>${highlight(text, lang.split(/\s/)[0]!)}</code></pre>\n`
      },
      heading({ tokens, depth, text }: Tokens.Heading) {
        const inner = this.parser.parseInline(tokens)
        return `<h${depth} id="${escapeHtml(headingId(text))}">${inner}</h${depth}>\n`
      },
      image({ href, title, text }: Tokens.Image) {
        const source = pictureSource(href, options)
        if (!source) return `<em>${escapeHtml(text || href)}</em>`
        const picture = `<img src="${escapeHtml(source)}" alt="${escapeHtml(text)}"${title ? ` title="${escapeHtml(title)}"` : ''}>`
        return extname(href).toLowerCase() === '.svg' ? `<span class="drawing">${picture}</span>` : picture
      },
      table(token: Tokens.Table) {
        // A corner that heads nothing is no head.
        const cell = (one: Tokens.TableCell) => this.tablecell(one.text === '' ? { ...one, header: false } : one)
        const row = (cells: Tokens.TableCell[]) => `<tr>${cells.map(cell).join('')}</tr>`
        const body = token.rows.map(row).join('\n')
        return `<div class="wide"><table><thead>${row(token.header)}</thead><tbody>${body}</tbody></table></div>\n`
      },
    },
  })
  const html = marked.parse(markdown) as string
  // The same for pictures that stand as HTML in the text.
  return html.replace(/(<img\b[^>]*\bsrc=")([^"]+)(")/gi, (whole, before: string, href: string, after: string) => {
    const source = pictureSource(href, options)
    return source ? `${before}${source}${after}` : whole
  })
}

/** A picture's bytes as a data URL, or null when it is not in the notebook's folder or attachments. */
function pictureSource(href: string, { folder, attachments = {} }: MarkdownOptions): string | null {
  if (href.startsWith('data:')) return href
  if (href.startsWith('attachment:')) {
    const [type, data] =
      Object.entries(attachments[decodeURIComponent(href.slice('attachment:'.length))] ?? {})[0] ?? []
    return type ? `data:${type};base64,${data}` : null
  }
  const type = PICTURES[extname(href).toLowerCase()]
  if (!type || /^[a-z][a-z\d+.-]*:/i.test(href)) return null
  try {
    return `data:${type};base64,${readFileSync(resolve(folder, decodeURI(href))).toString('base64')}`
  } catch {
    return null
  }
}
