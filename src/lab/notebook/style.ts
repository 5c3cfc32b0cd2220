/** The look of an executed notebook's page. */
export const STYLE = `
:root {
  --page: #fff; --ink: #1f2328; --soft: #59636e; --line: #d6dbe1; --panel: #f6f8fa; --accent: #0b62c4;
  --keyword: #a0208f; --string: #0a6b3d; --number: #9a4b00; --comment: #66707a; --name: #0b4fa8; --type: #6a3fb5; --error: #c9473d;
  --note: #eaf3ff; --note-line: #3f86d8; --predict: #fff6e0; --predict-line: #d69a18; --good: #e8f6ec; --good-line: #3a9a57; --warn: #fdeceb; --warn-line: #c9473d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --ink: #dde3ea; --soft: #98a3b0; --line: #323a44; --panel: #1c2127; --accent: #75b0f5;
    --keyword: #e28ad8; --string: #86cf9f; --number: #e3a868; --comment: #8a95a1; --name: #86b8f7; --type: #bda3f2; --error: #f08a80;
    --note: #152538; --note-line: #3f86d8; --predict: #2c2410; --predict-line: #d69a18; --good: #14281b; --good-line: #3a9a57; --warn: #331a18; --warn-line: #d0574d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; }
main, nav { max-width: 56rem; margin: 0 auto; padding: 0 1.25rem; }
main { padding-bottom: 4rem; }
nav { padding-top: 1rem; font-size: .9rem; color: var(--soft); }
nav ol { margin: .4rem 0; padding-left: 1.4rem; }
nav summary { cursor: pointer; }
a { color: var(--accent); text-underline-offset: .15em; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 .5em; text-wrap: balance; }
h1 { font-size: 2rem; margin-top: 1em; }
h2 { font-size: 1.45rem; padding-top: .6em; border-top: 1px solid var(--line); }
h3 { font-size: 1.15rem; }
h4 { font-size: 1rem; }
p, ul, ol, blockquote { margin: .7em 0; }
li + li { margin-top: .2em; }
blockquote { border-left: .25rem solid var(--line); padding-left: 1rem; margin-left: 0; color: var(--soft); }
hr { border: 0; border-top: 1px solid var(--line); }
img, svg { max-width: 100%; height: auto; }
figure { margin: 1em 0; }
figcaption, .caption { color: var(--soft); font-size: .9rem; }
pre, code, kbd { font-family: ui-monospace, "Cascadia Code", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
code { font-size: .9em; }
:not(pre) > code { background: var(--panel); border: 1px solid var(--line); border-radius: .25rem; padding: .05em .3em; overflow-wrap: break-word; }
pre { margin: 0; font-size: .82rem; line-height: 1.5; overflow-x: auto; tab-size: 2; }
pre code { font-size: inherit; }
.text pre { margin: 1em 0; }
pre.code { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem .9rem; }
.cell { margin: 1.1rem 0; }
.input { position: relative; }
.count { position: absolute; right: 100%; top: .8rem; margin-right: .6rem; color: var(--soft); font: .75rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
.count::before { content: "["; } .count::after { content: "]"; }
.outputs { margin: .5rem 0 0 .2rem; padding-left: .9rem; border-left: .2rem solid var(--line); }
.outputs > * + * { margin-top: .6rem; }
.outputs pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40rem; overflow: auto; }
.outputs pre.aligned { white-space: pre; width: max-content; max-width: min(50vw + 24rem, 100vw - 4rem); }
.wide { overflow-x: auto; }
.outputs pre.aligned, .wide, .rich.svg, .drawing {
  background: linear-gradient(to right, var(--page) 40%, transparent) left / 2.5rem 100% no-repeat local,
    linear-gradient(to left, var(--page) 40%, transparent) right / 2.5rem 100% no-repeat local,
    linear-gradient(to right, color-mix(in srgb, var(--ink) 22%, transparent), transparent) left / .8rem 100% no-repeat scroll,
    linear-gradient(to left, color-mix(in srgb, var(--ink) 22%, transparent), transparent) right / .8rem 100% no-repeat scroll;
}
.rich.svg > svg .ground { fill: none; }
.drawing { display: block; }
.drawing > img { display: block; mix-blend-mode: darken; }
@media (prefers-color-scheme: dark) { .drawing > img { mix-blend-mode: lighten; } }
pre.stderr { color: var(--soft); }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; margin: .8em 0; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:not([align]) { text-align: left; }
thead th { border-bottom: 2px solid var(--line); white-space: nowrap; }
tbody tr:hover { background: var(--panel); }
details { margin: .8em 0; }
details > summary { cursor: pointer; }
.hljs-keyword, .hljs-built_in, .hljs-variable.language_ { color: var(--keyword); }
.hljs-string, .hljs-regexp, .hljs-template-tag { color: var(--string); }
.hljs-number, .hljs-literal { color: var(--number); }
.hljs-comment { color: var(--comment); font-style: italic; }
.hljs-title, .hljs-title.function_ { color: var(--name); }
.hljs-title.class_, .hljs-type { color: var(--type); }
.hljs-subst { color: inherit; }
.ansi-black-fg { color: var(--soft); } .ansi-red-fg, .ansi-bright-red-fg { color: var(--error); } .ansi-green-fg, .ansi-bright-green-fg { color: var(--string); }
.ansi-yellow-fg, .ansi-bright-yellow-fg { color: var(--number); } .ansi-blue-fg, .ansi-bright-blue-fg { color: var(--name); }
.ansi-magenta-fg, .ansi-bright-magenta-fg { color: var(--keyword); } .ansi-cyan-fg, .ansi-bright-cyan-fg { color: var(--accent); }
.ansi-bright-black-fg { color: var(--soft); }
.box, .alert { border-left: .25rem solid var(--note-line); background: var(--note); border-radius: .3rem; padding: .7rem 1rem; margin: 1.1em 0; }
.alert-warning { border-color: var(--predict-line); background: var(--predict); }
.alert-success { border-color: var(--good-line); background: var(--good); }
.alert-danger { border-color: var(--warn-line); background: var(--warn); }
.alert > :first-child { margin-top: 0; } .alert > :last-child { margin-bottom: 0; }
@media (max-width: 62rem) { .count { display: none; } }
@media (max-width: 40rem) {
  body { font-size: 15px; } h1 { font-size: 1.6rem; } main, nav { padding-left: .9rem; padding-right: .9rem; }
  pre { font-size: .78rem; } th, td { padding: .3rem .5rem; }
  .rich.svg { overflow-x: auto; } .rich.svg > svg { min-width: 34rem; }
  .drawing { overflow-x: auto; } .drawing > img { max-width: 34rem; }
}
@media print {
  nav { display: none; }
  .outputs pre { max-height: none; }
  pre, .outputs pre.aligned { white-space: pre-wrap; width: auto; max-width: none; }
  .outputs pre.aligned, .wide, .rich.svg, .drawing { background: none; }
  .wide { overflow: visible; } th, td { padding: .25rem .5rem; } table { font-size: .8rem; }
  h1, h2, h3, h4 { break-after: avoid; } figure, img, svg, tr, .alert { break-inside: avoid; }
}
`
