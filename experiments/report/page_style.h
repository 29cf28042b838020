// What the page looks like and what it can do: its style sheet and its script.
#pragma once

#include <string_view>

namespace experiments {

inline constexpr std::string_view kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1b1c1e; --soft: #5a5e66; --line: #d8dbe0; --shade: #f4f5f7; --accent: #005a9c; --mark: #e8f1f9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --text: #e7e9ec; --soft: #a4abb5; --line: #363b42; --shade: #1f2227; --accent: #7cc0f5; --mark: #16293a;
  }
  .drawing [stroke='rgb(204, 204, 204)'] { stroke: #3a3f47; }
  .drawing [stroke='rgb(119, 119, 119)'] { stroke: #9aa0a8; }
  .drawing [stroke='rgb(  0, 114, 178)'] { stroke: #3d9fe0; }
  .drawing [fill='rgb(  0, 114, 178)'], .drawing [fill='rgb(0, 114, 178)'] { fill: #3d9fe0; }
  .drawing [color='rgb(  0, 114, 178)'] { color: #3d9fe0; }
}
* { box-sizing: border-box; }
html { font: 17px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: break-word; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3.5rem; }
h1 { font-size: clamp(1.7rem, 4.2vw, 2.6rem); line-height: 1.15; letter-spacing: -0.015em; margin: 0.3rem 0 0.8rem;
  max-width: 26em; text-wrap: balance; }
h2 { font-size: 1.45rem; line-height: 1.25; margin: 4rem 0 1rem; }
h3 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 0.8rem; }
p, ul, ol, dl, figcaption { max-width: 46em; }
a { color: var(--accent); text-underline-offset: 0.15em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: 0.5rem 1rem; z-index: 1; }
.kicker { margin: 0; color: var(--soft); font-size: 0.9rem; letter-spacing: 0.02em; }
.about { color: var(--soft); margin: 0; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; padding: 0; margin: 1.6rem 0 0; }
.answer { border-left: 4px solid var(--accent); padding: 0.1rem 0 0.1rem 1.4rem; }
.answer p { font-size: 1.2rem; line-height: 1.5; margin: 0 0 0.8rem; max-width: 42em; }
.answer p:last-child { margin-bottom: 0; }
.honest { color: var(--soft); font-size: 0.95rem; margin-top: 1.4rem; }
data { font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 0 0 4rem; }
.drawing, .scroll { overflow-x: auto; }
.drawing svg { display: block; width: 100%; min-width: 46rem; height: auto; color: var(--text); }
.drawing svg text, .drawing svg tspan { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans',
  'DejaVu Sans', sans-serif; }
figcaption { margin-top: 0.8rem; }
.files { color: var(--soft); font-size: 0.85rem; white-space: nowrap; }
code, pre { font: 0.86em/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
pre { background: var(--shade); padding: 0.9rem 1.1rem; border-radius: 6px; overflow-x: auto; margin: 0.6rem 0 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.5rem; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: 0.6rem; max-width: 46em; }
th, td { padding: 0.32rem 0.9rem 0.32rem 0; text-align: right; white-space: nowrap; vertical-align: baseline; }
th { font-weight: 600; border-bottom: 2px solid var(--line); }
td { border-bottom: 1px solid var(--line); }
td small { color: var(--soft); }
.w { text-align: left; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:hover { color: var(--accent); }
th button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
th button::after { content: ' \2195'; color: var(--soft); font-weight: 400; }
th[aria-sort=ascending] button::after { content: ' \2191'; color: var(--accent); }
th[aria-sort=descending] button::after { content: ' \2193'; color: var(--accent); }
tbody tr:hover { background: var(--mark); }
.tools { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; align-items: baseline; margin: 0 0 1rem; }
.tools input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--soft); border-radius: 4px;
  padding: 0.3rem 0.6rem; width: 20rem; max-width: 100%; }
.swatch { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 2px; margin-right: 0.45em; }
footer { color: var(--soft); font-size: 0.85rem; padding-top: 3rem; padding-bottom: 3rem; }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1.8rem; }
  .answer p { font-size: 1.08rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.7rem; }
}
@media print {
  :root { --page: #fff; --text: #000; --soft: #444; --line: #bbb; --shade: #f6f6f6; --accent: #000; }
  html { font-size: 10.5pt; }
  nav, .skip, .tools, .files, th button::after { display: none; }
  .drawing, .scroll { overflow: visible; }
  .drawing svg { min-width: 0; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  thead { display: table-header-group; }
}
)css";

// Without it the page has a plain table. What is chosen is kept in the address, so that it can be passed on:
// #sort=COLUMN&order=descending&filter=WORDS.
inline constexpr std::string_view kPageScript = R"js(
'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.v;
    return value === undefined ? cell.textContent : Number(value);
  };
  // Cells without a number come last, whichever way.
  const compare = (a, b, way) => {
    const empty = (value) => value === '' || value === '-' || Number.isNaN(value);
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    const words = typeof a === 'string' || typeof b === 'string';
    return way * (words ? String(a).localeCompare(String(b), 'en', {numeric: true}) : a - b);
  };
  const chosen = {sort: null, order: 'ascending', filter: ''};
  const remember = () => {
    const hash = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
    if (!chosen.sort) hash.delete('order');
    try { history.replaceState(null, '', '#' + hash); } catch (error) { /* a viewer without a history */ }
  };
  const sort = (column, order) => {
    chosen.sort = heads[column].dataset.name;
    chosen.order = order;
    const way = order === 'descending' ? -1 : 1;
    const keyed = rows.map((row, index) => [key(row, column), index, row]);
    keyed.sort((a, b) => compare(a[0], b[0], way) || a[1] - b[1]);
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute('aria-sort', order); else head.removeAttribute('aria-sort');
    });
    body.replaceChildren(...keyed.map((each) => each[2]));
  };
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.addEventListener('click', () => {
      sort(column, head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending');
      remember();
    });
    head.append(button);
  });
  const tools = document.getElementById(table.id + '-tools');
  const input = tools.querySelector('input');
  const count = tools.querySelector('output');
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      if (!row.hidden) ++shown;
    });
    chosen.filter = input.value;
    count.textContent = shown + ' of ' + rows.length + ' rows';
  };
  input.addEventListener('input', () => { filter(); remember(); });
  tools.hidden = false;
  const follow = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const column = heads.findIndex((head) => head.dataset.name === wanted.get('sort'));
    if (column >= 0) sort(column, wanted.get('order') === 'descending' ? 'descending' : 'ascending');
    input.value = wanted.get('filter') || '';
    filter();
  };
  addEventListener('hashchange', follow);
  follow();
}
)js";

}  // namespace experiments
