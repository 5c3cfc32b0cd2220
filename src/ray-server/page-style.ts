/** The look of the page: a specimen on a card, its label beside it, in daylight or lamplight. */
export const STYLE = `
:root {
  --paper: #f7f3ea; --card: #fffdf8; --ink: #26231d; --soft: #6b6456; --line: #e0d8c6; --sun: #a4660a; --glow: #f3d9a4;
  --bar: #b9ae97; --best: #c07c12; --leaf: #245f58; --wrong: #a03a24; --wrong-ground: #fbece6; --shade: 60 45 15;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171511; --card: #211e19; --ink: #ece5d6; --soft: #a79d8a; --line: #39342b; --sun: #eab65a; --glow: #46361a;
    --bar: #6d6452; --best: #e0a544; --leaf: #7cc0b4; --wrong: #f0997f; --wrong-ground: #35201a; --shade: 0 0 0;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; background: var(--paper); }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column; color: var(--ink);
  background: radial-gradient(60rem 34rem at 12% -12rem, var(--glow), transparent 70%) no-repeat;
  font: 17px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
header, main, footer { width: 100%; max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { display: flex; gap: 1.1rem; align-items: center; padding-top: 2.6rem; padding-bottom: 1.8rem; }
h1, .name { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", "URW Palladio L", P052, Georgia, "Noto Serif", "DejaVu Serif", serif; }
h1 { font-weight: 600; font-size: 2.1rem; line-height: 1.1; margin: 0; letter-spacing: -.01em; }
header p { margin: .3rem 0 0; color: var(--soft); }
.sun { flex: none; width: 3.4rem; height: 3.4rem; color: var(--sun); }
.sun .rays { transform-origin: 50% 50%; }
main { flex: 1; display: grid; grid-template-columns: minmax(0, 25rem) minmax(0, 1fr); gap: 2.2rem 2.6rem; align-content: start; align-items: start; }

.frame {
  position: relative; aspect-ratio: 1; width: 100%; overflow: hidden; border-radius: .5rem; cursor: pointer; padding: .8rem;
  background: var(--card); border: 1px solid var(--line); box-shadow: 0 1px 2px rgb(var(--shade) / .07), 0 14px 34px -18px rgb(var(--shade) / .35);
  display: grid; place-items: center;
}
.frame::after { content: ""; position: absolute; inset: .8rem; pointer-events: none; border-radius: .25rem; border: 1.5px dashed var(--line); }
.frame.full::after { border-style: solid; border-color: transparent; }
.frame.over { background: var(--glow); }
.frame.over::after { border-color: var(--sun); border-style: solid; }
.frame img { position: absolute; inset: .8rem; width: calc(100% - 1.6rem); height: calc(100% - 1.6rem); object-fit: contain; }
.frame img.tiny { image-rendering: pixelated; }
.invite { text-align: center; color: var(--soft); padding: 1.5rem; }
.invite svg { width: 3.2rem; height: 3.2rem; color: var(--bar); margin-bottom: .4rem; }
.invite b { display: block; color: var(--ink); font-weight: 600; }
.buttons { display: flex; flex-wrap: wrap; gap: .7rem; margin-top: 1rem; }
button { font: inherit; color: inherit; cursor: pointer; }
.buttons button, .again {
  flex: 1; padding: .7rem .5rem; white-space: nowrap; border-radius: .5rem; border: 1px solid var(--line); background: var(--card); font-weight: 600;
}
.buttons button.first { background: var(--ink); color: var(--paper); border-color: var(--ink); }
.buttons button:hover { border-color: var(--sun); }
.buttons button.first:hover { background: var(--sun); border-color: var(--sun); }
.again { flex: none; padding: .45rem 1rem; margin-top: .9rem; color: var(--ink); }
:focus-visible { outline: 3px solid var(--sun); outline-offset: 3px; border-radius: .3rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.answer { min-height: 25rem; padding-top: .2rem; overflow-wrap: anywhere; }
.kicker { margin: 0; color: var(--soft); font-size: .9rem; }
.name { font-size: clamp(2rem, 5vw, 3.1rem); line-height: 1.08; font-weight: 600; margin: .1rem 0 1.1rem; letter-spacing: -.015em; text-wrap: balance; }
.name.unnamed { font-style: italic; color: var(--soft); font-weight: 500; }
.bars { margin-bottom: 1.4rem; }
.scores { list-style: none; margin: 0; padding: 0; }
.scores li { display: grid; grid-template-columns: minmax(0, 1fr) 9rem 3.6rem; gap: .9rem; align-items: center; padding: .28rem 0; font-size: .95rem; }
.scores .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.scores .label small { color: var(--soft); margin-left: .5em; font-size: .82em; }
.scores .score { text-align: right; font-variant-numeric: tabular-nums; color: var(--soft); }
.scores .track { height: .6rem; border-radius: .3rem; background: var(--line); position: relative; }
.scores .track i { position: absolute; inset: 0 auto 0 0; border-radius: .3rem; background: var(--bar); min-width: 2px; transition: width .5s cubic-bezier(.2, .7, .2, 1); }
.scores li:first-child .track i { background: var(--best); }
.scores li:first-child .label, .scores li:first-child .score { font-weight: 600; color: var(--ink); }
.scores .track::after { content: ""; position: absolute; left: 80%; top: -.2rem; bottom: -.2rem; border-left: 1.5px solid var(--soft); opacity: .55; }
.bars .note { display: block; text-align: right; padding: .15rem 4.5rem 0 0; font-size: .78rem; color: var(--soft); }
.text { margin: 0; max-width: 38rem; white-space: pre-line; border-left: 3px solid var(--glow); padding-left: 1.1rem; }
.source { margin: .8rem 0 0; padding-left: calc(1.1rem + 3px); font-size: .92rem; color: var(--soft); }
a { color: var(--leaf); text-underline-offset: .18em; text-decoration-thickness: 1px; }
.time { margin: 1.3rem 0 0; font-size: .85rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.trouble { background: var(--wrong-ground); border-radius: .5rem; padding: 1rem 1.2rem 1.1rem; max-width: 38rem; }
.trouble b { color: var(--wrong); display: block; font-size: 1.05rem; }
.kicker + .trouble { margin-top: .5rem; }
.trouble p { margin: .25rem 0 0; }
.trouble small { color: var(--soft); }
.steps { margin: .4rem 0 0; padding: 0; list-style: none; max-width: 34rem; counter-reset: step; }
.steps li { counter-increment: step; padding: .55rem 0 .55rem 2.6rem; position: relative; color: var(--soft); }
.steps li b { color: var(--ink); font-weight: 600; }
.steps li::before { content: counter(step); position: absolute; left: 0; top: .55rem; width: 1.7rem; height: 1.7rem; line-height: 1.6rem; text-align: center; border: 1px solid var(--line); border-radius: 50%; font-size: .85rem; color: var(--sun); background: var(--card); }

.recent { grid-column: 1 / -1; border-top: 1px solid var(--line); padding-top: 1.1rem; }
h2 { font-size: 1rem; margin: 0 0 .7rem; font-weight: 600; }
.recent ol { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(6.4rem, 1fr)); gap: .8rem; }
.recent button { display: block; width: 100%; padding: .4rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; text-align: left; font-size: .82rem; line-height: 1.3; }
.recent button:hover, .recent button[aria-current=true] { border-color: var(--sun); }
.recent button[aria-current=true] { box-shadow: inset 0 0 0 1px var(--sun); }
.recent img, .recent .blank { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .3rem; margin-bottom: .35rem; background: var(--line); }
.recent .what { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.recent .score { color: var(--soft); }

footer { color: var(--soft); font-size: .86rem; padding-top: 2.4rem; padding-bottom: 2rem; display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; align-items: baseline; }
footer details { flex-basis: 100%; }
footer summary { cursor: pointer; width: max-content; }
footer pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; margin: .6rem 0; font: .8rem/1.5 ui-monospace, "Cascadia Code", Menlo, Consolas, monospace; color: var(--ink); }

.looking .name { color: var(--soft); font-style: italic; font-weight: 500; }
@media (prefers-reduced-motion: no-preference) {
  .busy .sun .rays { animation: turn 5s linear infinite; }
  .busy .frame.full::before {
    content: ""; position: absolute; z-index: 1; inset: .8rem; pointer-events: none; animation: ray 1.7s ease-in-out infinite;
    background: linear-gradient(105deg, transparent 35%, rgb(255 236 190 / .55) 50%, transparent 65%) no-repeat; background-size: 260% 100%;
  }
  @keyframes turn { to { transform: rotate(1turn); } }
  @keyframes ray { from { background-position: 130% 0; } to { background-position: -40% 0; } }
}
@media (prefers-reduced-motion: reduce) { .scores .track i { transition: none; } }
@media (max-width: 52rem) {
  main { grid-template-columns: minmax(0, 1fr); gap: 1.6rem; }
  .look { max-width: 30rem; width: 100%; justify-self: center; }
  .answer { min-height: 0; }
}
@media (max-width: 30rem) {
  body { font-size: 16px; }
  header, main, footer { padding-left: 1.1rem; padding-right: 1.1rem; }
  header { padding-top: 1.4rem; padding-bottom: 1.1rem; gap: .8rem; }
  h1 { font-size: 1.65rem; } .sun { width: 2.7rem; height: 2.7rem; }
  header p { font-size: .92rem; }
  .scores li { grid-template-columns: minmax(0, 1fr) 5.5rem 3.1rem; gap: .6rem; }
  .bars .note { padding-right: 3.7rem; }
  .frame { aspect-ratio: 5 / 4; }
}
@media (scripting: none) { .frame, .buttons { display: none; } }
@media (forced-colors: active) { .scores .track { border: 1px solid; } .scores .track i { background: Highlight; forced-color-adjust: none; } }
`
