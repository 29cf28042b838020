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
