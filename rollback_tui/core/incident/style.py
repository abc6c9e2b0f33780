"""How the page looks: light and dark, on a phone and on paper. Every pair of colours that carries
words has a contrast of 4.5 to 1 or more (WCAG 2, AA)."""

from __future__ import annotations

STYLE = """
:root {
  --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --field: #f6f8fa;
  --good: #116329; --attention: #7d4e00; --bad: #a40e26; --bad-field: #ffebe9;
  --good-field: #dafbe1; --attention-field: #fff8c5; --curve: #0550ae; --bar: #8c959f;
  --door: #ffd8d3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --ink: #e6edf3; --soft: #9ea7b3; --line: #30363d; --field: #161b22;
    --good: #56d364; --attention: #e3b341; --bad: #ff9492; --bad-field: #3c1618;
    --good-field: #12261e; --attention-field: #2e2a1f; --curve: #79c0ff; --bar: #6e7681;
    --door: #67171b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 {
  font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem;
  border-bottom: 1px solid var(--line);
}
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; }
.eyebrow {
  margin: 0 0 .25rem; color: var(--soft); font-size: .8rem; letter-spacing: .08em;
  text-transform: uppercase;
}
.status {
  display: inline-block; margin: 0 0 .75rem; padding: .3rem .75rem; border-radius: .35rem;
  font-weight: 600; background: var(--field); border-left: .3rem solid var(--bar);
}
.status.good { background: var(--good-field); border-color: var(--good); }
.status.attention { background: var(--attention-field); border-color: var(--attention); }
.status.bad { background: var(--bad-field); border-color: var(--bad); }
.lead { font-size: 1.05rem; max-width: 48rem; }
.lead p { margin: .3rem 0; }
.good { color: var(--good); }
.attention { color: var(--attention); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.figures {
  display: grid; grid-template-columns: repeat(3, 1fr); gap: .6rem;
  margin: 1.25rem 0;
}
.figures div {
  border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .75rem;
  background: var(--field); font-weight: 400;
}
.figures dt { color: var(--soft); font-size: .8rem; }
.figures dd { margin: 0; }
.figures strong { display: block; font-size: 1.3rem; line-height: 1.25; }
.figures span { display: block; color: var(--soft); font-size: .78rem; line-height: 1.35; }
nav ul {
  display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0; list-style: none;
}
nav { font-size: .875rem; }
a { color: var(--curve); }
a:focus-visible, pre:focus-visible { outline: 2px solid var(--curve); outline-offset: 2px; }
.facts { margin: 0; }
.facts div {
  display: grid; grid-template-columns: 13rem 1fr; gap: 1rem; padding: .35rem 0;
  border-bottom: 1px solid var(--line);
}
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }
table { width: 100%; border-collapse: collapse; margin: .75rem 0 1rem; font-size: .9rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; font-size: .85rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td {
  text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line);
}
th { font-weight: 600; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
@media (min-width: 40.01rem) {
  td:last-child { min-width: 7.5rem; }
  td:nth-child(2):not(.one) { min-width: 12rem; }
}
td.one { white-space: nowrap; overflow-wrap: normal; }
.more { color: var(--soft); font-size: .85rem; }
code, pre {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .86em;
}
pre {
  background: var(--field); border: 1px solid var(--line); border-radius: .35rem;
  padding: .6rem .75rem; margin: .5rem 0; overflow-x: auto; white-space: pre-wrap;
}
ul { margin: .5rem 0; padding-left: 1.25rem; }
li { margin: .2rem 0; }
.checklist { list-style: none; padding: 0; }
.checklist li {
  display: flex; gap: .75rem; padding: .45rem 0; border-bottom: 1px solid var(--line);
}
.checklist code { color: var(--soft); }
.checklist small { display: block; color: var(--good); }
.checklist .open small { color: var(--soft); }
.box {
  flex: none; width: 1.15rem; height: 1.15rem; margin-top: .2rem; border: 2px solid var(--soft);
  border-radius: .2rem; font-size: .85rem; line-height: .95rem; text-align: center;
  font-weight: 700;
}
.done .box { background: var(--good); border-color: var(--good); color: var(--paper); }
figure { margin: .75rem 0; }
figcaption { color: var(--soft); font-size: .85rem; }
figcaption b { color: var(--ink); }
svg { display: block; }
svg text { fill: var(--ink); font-size: 12px; }
svg .took { fill: var(--soft); font-size: 11px; }
svg .took.over { fill: var(--ink); }
svg .door, .key.door { fill: var(--door); background: var(--door); }
svg .phase { fill: var(--bar); }
svg .phase.bad { fill: var(--bad); }
svg .axis { stroke: var(--line); }
svg .gap { fill: var(--attention-field); }
svg .curve {
  fill: none; stroke: var(--curve); stroke-width: 2; stroke-linecap: round;
  stroke-linejoin: round; vector-effect: non-scaling-stroke;
}
svg .threshold { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 6 4; }
svg .usual { stroke: var(--soft); stroke-dasharray: 2 3; }
svg .alert { stroke: var(--bad); stroke-width: 2; }
.key { display: inline-block; width: .9rem; height: .7rem; margin-right: .4rem; }
.curves {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2rem;
}
footer { margin-top: 3rem; color: var(--soft); font-size: .8rem; }
@media (max-width: 40rem) {
  body { padding: 1.25rem .9rem 2rem; font-size: 15px; }
  h1 { font-size: 1.4rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .facts div { display: block; }
  table, tbody, tr, td { display: block; width: 100%; }
  caption { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr {
    border: 1px solid var(--line); border-radius: .35rem; padding: .35rem .6rem; margin: .5rem 0;
  }
  tbody td {
    display: grid; grid-template-columns: 6.5rem 1fr; gap: .6rem; border: 0; padding: .1rem 0;
  }
  td:empty { display: none; }
  td::before {
    content: attr(data-of); color: var(--soft); font-size: .8rem; white-space: normal;
  }
}
@page { size: A4; margin: 15mm 14mm; }
@media print {
  :root {
    --paper: #ffffff; --ink: #000000; --soft: #444c56; --line: #c8ccd1; --field: #f6f8fa;
    --good: #0d4f21; --attention: #6b4300; --bad: #8c0b20; --bad-field: #ffebe9;
    --good-field: #dafbe1; --attention-field: #fff8c5; --curve: #0550ae; --bar: #8c959f;
    --door: #ffd8d3;
  }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  nav { display: none; }
  h1 { font-size: 18pt; } h2 { font-size: 13pt; margin-top: 1.4rem; }
  h2, h3, caption { break-after: avoid; }
  tr, figure, pre, .figures div, .facts div, .checklist li { break-inside: avoid; }
  tbody tr:first-child { break-before: avoid; }
  thead { display: table-header-group; }
  table { font-size: 8.5pt; }
  .figures { grid-template-columns: repeat(3, 1fr); }
  .curves { grid-template-columns: 1fr 1fr; }
  pre { white-space: pre-wrap; }
}
"""
"""The style sheet of the page, whole: nothing else is loaded."""
