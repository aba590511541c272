/** The widget's styles; sites change them through the properties --tell-apart-… */

const CSS = `
:host {
  --accent: var(--tell-apart-accent, #0c6b68); --on-accent: var(--tell-apart-on-accent, #fff);
  --ink: var(--tell-apart-ink, #1c2126); --quiet: var(--tell-apart-quiet, #59626c);
  --card: var(--tell-apart-card, #fff); --line: var(--tell-apart-line, #e3e0d9);
  --track: var(--tell-apart-track, #ebe8e1); --doubt: var(--tell-apart-doubt, #a9481f);
  --radius: var(--tell-apart-radius, .8rem);
  display: block; container-type: inline-size; color: var(--ink); text-align: start;
  font: 1rem/1.55 var(--tell-apart-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
@supports (color: light-dark(red, red)) {
  :host {
    --accent: var(--tell-apart-accent, light-dark(#0c6b68, #63c7bf)); --on-accent: var(--tell-apart-on-accent, light-dark(#fff, #10201f));
    --ink: var(--tell-apart-ink, light-dark(#1c2126, #e9e6e0)); --quiet: var(--tell-apart-quiet, light-dark(#59626c, #a4adb6));
    --card: var(--tell-apart-card, light-dark(#fff, #1a1e22)); --line: var(--tell-apart-line, light-dark(#e3e0d9, #2c3238));
    --track: var(--tell-apart-track, light-dark(#ebe8e1, #2a3036)); --doubt: var(--tell-apart-doubt, light-dark(#a9481f, #ec9a72));
  }
}
:host([theme=dark]) { color-scheme: dark; } :host([theme=light]) { color-scheme: light; }
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
p, h3, ol, ul { margin: 0; padding: 0; list-style: none; }
.quietly { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
button {
  font: inherit; font-weight: 600; color: var(--accent); background: var(--card); cursor: pointer; min-height: 2.75rem;
  border: 1px solid color-mix(in srgb, var(--accent) 45%, transparent); border-radius: 2rem; padding: .5rem 1.2rem;
}
button:hover { border-color: var(--accent); }
button.main { background: var(--accent); color: var(--on-accent); border-color: transparent; }
button.main:hover { background: color-mix(in srgb, var(--accent) 88%, var(--ink)); }
button:disabled { opacity: .5; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.buttons { display: flex; flex-wrap: wrap; gap: .7rem; justify-content: center; }

.drop {
  display: grid; justify-items: center; gap: .9rem; text-align: center; padding: clamp(1.6rem, 6cqi, 3.4rem) 1.2rem;
  border: 2px dashed color-mix(in srgb, var(--quiet) 45%, transparent); border-radius: var(--radius);
  background: color-mix(in srgb, var(--card) 70%, transparent); transition: background .15s, border-color .15s;
}
.drop.over { border-color: var(--accent); background: color-mix(in srgb, var(--accent) 12%, var(--card)); }
.drop svg { width: 2.6rem; fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
.drop .call { font-size: clamp(1.1rem, 3cqi, 1.35rem); font-weight: 600; }
.small, .keeps, .complaint, .note, .title, .hint, summary { font-size: .875rem; line-height: 1.5; }
.keeps, .title, .hint, .note { color: var(--quiet); }
.says { display: grid; } .says > * { grid-area: 1 / 1; } .complaint { color: var(--doubt); font-weight: 600; }
.complaint:not(:empty) + .keeps { visibility: hidden; }

.examples { margin-top: 1.4rem; }
.examples > p { color: var(--quiet); font-size: .875rem; text-align: center; }
.examples ul { display: flex; flex-wrap: wrap; gap: .8rem; justify-content: center; margin-top: .6rem; }
.examples li { flex: 0 0 6.4rem; }
.examples button { display: grid; gap: .35rem; width: 100%; padding: 0; border: 0; background: none; color: var(--ink); font-weight: 400; font-size: .8125rem; line-height: 1.3; border-radius: .6rem; }
.examples canvas { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .6rem; background: var(--track); transition: transform .15s; }
.examples button:hover canvas { transform: translateY(-2px); outline: 2px solid var(--accent); outline-offset: 2px; }

.answers { display: grid; gap: 1.1rem; margin-top: 1.6rem; }
.answers:empty { display: none; }
.clear { margin: 1rem auto 0; display: block; }
.card { display: grid; grid-template-columns: minmax(0, 1fr); background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); overflow: hidden; scroll-margin-top: 1rem; }
.left { padding: 1rem; } .right { padding: .2rem 1.2rem 1.3rem; min-width: 0; }
.photo { position: relative; display: grid; place-items: center; aspect-ratio: 1; max-height: 24rem; width: 100%; border-radius: .5rem; background: var(--track); overflow: hidden; }
.photo canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.photo p { padding: 1rem; color: var(--quiet); font-size: .875rem; text-align: center; }
.photo:has(p) { aspect-ratio: auto; min-height: 8rem; }
.card:not(:last-child) .right { min-height: calc(var(--bars) * 3.1rem + 9.5rem); }
.views { display: flex; min-height: 2.6rem; margin-top: .7rem; border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.views button { flex: 1 1 auto; min-height: 2.5rem; padding: .3rem .5rem; border: 0; border-radius: 0; background: none; color: var(--quiet); font-size: .8125rem; font-weight: 500; line-height: 1.25; }
.views:empty { visibility: hidden; } .views button + button { border-left: 1px solid var(--line); }
.views button[aria-pressed=true] { background: color-mix(in srgb, var(--accent) 14%, var(--card)); color: var(--accent); font-weight: 600; }
.views :focus-visible { outline-offset: -3px; }
.note { margin-top: .5rem; }
.card h3 { font-size: clamp(1.45rem, 4.5cqi, 2rem); line-height: 1.2; letter-spacing: -.02em; font-weight: 650; text-wrap: balance; margin-top: .1rem; }
.card[data-state=unsure] h3 { color: var(--doubt); }
.card[data-state=error] h3, .card[data-state=busy] h3 { color: var(--quiet); }
.remark { margin-top: .35rem; color: var(--quiet); }
.error { margin-top: .4rem; } .card .body > button { margin-top: 1rem; }
.bars { margin-top: 1.1rem; display: grid; gap: .75rem; }
.bars li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .25rem 1rem; align-items: baseline; }
.bars .share { color: var(--quiet); white-space: nowrap; font-size: .9375rem; }
.bars .track { grid-row: 2; grid-column: 1 / -1; height: .55rem; border-radius: .3rem; background: var(--track); overflow: hidden; }
.bars .fill { display: block; height: 100%; width: calc(100% * var(--share)); border-radius: .3rem; background: color-mix(in srgb, var(--accent) 45%, var(--track)); animation: grow .35s ease-out; transform-origin: left; }
[data-state=named] .body > .bars li:first-child .fill { background: var(--accent); }
[data-state=named] .body > .bars li:first-child .name { font-weight: 600; }
[data-state=unsure] .body > .bars li:nth-child(-n+2) .fill { background: var(--doubt); }
[data-state=none] .bars .fill { background: color-mix(in srgb, var(--quiet) 55%, var(--track)); }
@keyframes grow { from { transform: scaleX(0); } }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--accent); padding: .35rem 0; width: fit-content; }
.busy { margin-top: 1rem; height: .55rem; border-radius: .3rem; background: var(--track); position: relative; overflow: hidden; }
.busy::after { content: ""; position: absolute; inset: 0 auto 0 0; width: 30%; border-radius: inherit; background: var(--accent); animation: pass 1.1s ease-in-out infinite; }
@keyframes pass { from { transform: translateX(-100%); } to { transform: translateX(340%); } }

.away { display: grid; justify-items: center; gap: .8rem; text-align: center; padding: 2rem 1.2rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--card); }

@container (min-width: 40rem) {
  .card { grid-template-columns: minmax(0, 22rem) minmax(0, 1fr); }
  .left { padding: 1.2rem; } .right { padding: 1.2rem 1.6rem 1.4rem .6rem; }
}
@container (max-width: 26rem) {
  .says { min-height: 4rem; }
  .examples li { flex-basis: calc((100% - 1.6rem) / 3); }
  .buttons button { flex: 1 1 100%; }
}
.touch { display: none; }
@media (hover: none) { .touch { display: inline; } .mouse { display: none; } }
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } .busy::after { width: 100%; opacity: .4; } }
@media (forced-colors: active) { .bars .fill { background: CanvasText !important; forced-color-adjust: none; } .bars .track { border: 1px solid; } }
`;

export const styles = new CSSStyleSheet();
styles.replaceSync(CSS);
