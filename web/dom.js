// Builds elements. Texts are only ever set as text.

export const byId = (id) => document.getElementById(id);

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function svg(name, attributes, className, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (className) made.setAttribute('class', className);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Fills a table, one array of cells (texts or elements) for each row, unless nothing changed: a button that has the focus stays. */
export function fillTable(name, rows, key) {
  const [table, none, body] = [byId(`${name}-table`), byId(`no-${name}`), byId(name)];
  if (table) table.hidden = rows.length === 0;
  if (none) none.hidden = rows.length > 0;
  const state = JSON.stringify(key);
  if (body.dataset.state === state) return;
  body.dataset.state = state;
  // Where the columns stand below each other, each value says which one it is.
  const headings = [...body.parentElement.querySelectorAll('th')].map(({ textContent }) => textContent);
  body.replaceChildren(...rows.map((cells) => {
    const row = element('tr');
    cells.forEach((cell, at) => {
      const column = row.appendChild(element('td'));
      column.dataset.heading = headings[at];
      column.append(cell ?? '–');
    });
    return row;
  }));
}
