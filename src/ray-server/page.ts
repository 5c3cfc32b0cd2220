import { createHash } from 'node:crypto'
import { SCRIPT } from './page-script.js'
import { STYLE } from './page-style.js'

export interface PageOptions {
  /** The most bytes that the service takes in a picture: larger ones are made smaller before they are sent. @default 10485760 */
  maxBytes?: number
  /** The way from its address to the server's own pages. @default '' */
  root?: string
}

/** A picture for the browser's tab, and the page's sign: a small sun. */
const RAYS = Array.from({ length: 8 }, (_, i) => {
  const [x, y] = [Math.cos((i * Math.PI) / 4), Math.sin((i * Math.PI) / 4)]
  const at = (radius: number) => `${(24 + radius * x).toFixed(1)} ${(24 + radius * y).toFixed(1)}`
  return `M${at(14)}L${at(i % 2 ? 18.5 : 21)}`
}).join('')
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><g fill="none" stroke="#c07c12" stroke-width="3" stroke-linecap="round"><circle cx="24" cy="24" r="8.5" fill="#f3c76b"/><path d="${RAYS}"/></g></svg>`

const script = ({ maxBytes = 10 << 20 }: PageOptions) => `const LIMIT = ${maxBytes}${SCRIPT}`

/**
 * The page of the service, whole: it shows a picture to `POST whatis?details=1` (relative to its own address) and what that
 * answers. It asks nothing of any other host and works under `pagePolicy` of the same options.
 */
export function page(options: PageOptions = {}): string {
  const { root = '' } = options
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="theme-color" content="#f7f3ea" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#171511" media="(prefers-color-scheme: dark)">
<title>What is this? · rayito</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
<style>${STYLE}</style>
</head>
<body>
<header>
  <svg class="sun" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="8.5" fill="currentColor" opacity=".28"/><circle cx="24" cy="24" r="8.5" fill="none" stroke="currentColor" stroke-width="2.2"/><path class="rays" d="${RAYS}" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/></svg>
  <div>
    <h1>What is this?</h1>
    <p>Show me a picture: I say what is on it, and what is known of it.</p>
  </div>
</header>
<main>
  <section class="look" aria-label="The picture">
    <form id="form" method="post" action="whatis?details=1" enctype="multipart/form-data">
      <div id="frame" class="frame">
        <div id="invite" class="invite">
          <svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><rect x="6" y="9" width="36" height="30" rx="3"/><circle cx="16" cy="19" r="3.4"/><path d="M8 36l11-11 7 7 6-6 8 9"/></svg>
          <b>Drop a picture here</b>
          <span>or paste one, or choose one below</span>
        </div>
        <img id="picture" alt="" hidden>
      </div>
      <div class="buttons">
        <button type="button" id="choose" class="first">Choose a picture</button>
        <button type="button" id="photograph" hidden>Photograph</button>
      </div>
      <input class="unseen" type="file" id="file" accept="image/*" multiple tabindex="-1" aria-hidden="true">
      <input class="unseen" type="file" id="camera" accept="image/*" capture="environment" tabindex="-1" aria-hidden="true">
      <noscript><p>Without JavaScript the answer comes as plain JSON: <label for="plain">picture</label> <input type="file" id="plain" name="file" accept="image/*"> <button>Send</button></p></noscript>
    </form>
  </section>
  <section id="answer" class="answer" aria-label="The answer">
    <ol class="steps">
      <li><b>A neural network looks.</b> It gives each of the classes it knows a score; all scores together make 100 %.</li>
      <li><b>From 80 % on it gives a name.</b> Below, it shows what the picture is most like, and says that it is not sure.</li>
      <li><b>The name is looked up</b> in Wikipedia, or in WordNet when Wikipedia cannot be reached.</li>
    </ol>
  </section>
  <section id="recents" class="recent" hidden>
    <h2>Recent answers</h2>
    <ol id="recent"></ol>
  </section>
</main>
<p id="spoken" class="unseen" role="status" aria-live="polite"></p>
<p id="alert" class="unseen" role="alert"></p>
<footer>
  <span>Pictures go to this service only, and are not kept.</span>
  <a href="${root}docs">Its HTTP interface</a>
  <a href="${root}metrics">Metrics</a>
  <details><summary>Ask from a program</summary><pre id="curl">curl -F file=@picture.jpg …/whatis</pre></details>
</footer>
<script type="module">${script(options)}</script>
</body>
</html>
`
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** The Content-Security-Policy that `page` of the same options works under: its own style and script, nothing of another host. */
export function pagePolicy(options: PageOptions = {}): string {
  return [
    "default-src 'none'",
    `script-src ${hash(script(options))}`,
    `style-src ${hash(STYLE)}`,
    'img-src blob: data:',
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
