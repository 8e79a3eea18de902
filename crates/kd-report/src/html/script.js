"use strict";
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = row => {
        const cell = row.cells[column];
        const text = cell.dataset.key ?? cell.textContent;
        return { text, number: text.trim() === "" ? NaN : Number(text), none: cell.classList.contains("none") };
      };
      const rows = [...body.rows].map(row => ({ row, key: key(row) }));
      rows.sort((a, b) => {
        // What is not known comes last either way.
        if (a.key.none || b.key.none) return a.key.none - b.key.none;
        const numbers = !Number.isNaN(a.key.number) && !Number.isNaN(b.key.number);
        const order = numbers ? a.key.number - b.key.number : a.key.text.localeCompare(b.key.text);
        return descending ? -order : order;
      });
      body.append(...rows.map(({ row }) => row));
    });
  }
}
const values = document.createElement("div");
values.id = "values";
values.hidden = true;
document.body.append(values);
for (const svg of document.querySelectorAll("svg[data-plots]")) {
  const plots = JSON.parse(svg.dataset.plots);
  const leave = () => { values.hidden = true; };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("pointermove", event => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const plot = plots.find(({ x, y }) =>
      place.x >= x[0] && place.x <= x[0] + x[1] && place.y >= y[0] && place.y <= y[0] + y[1]);
    if (!plot) return leave();
    const [left, width, low, high] = plot.x;
    const at = low + (place.x - left) / width * (high - low);
    const epochs = plot.curves.flatMap(([, , points]) => points.map(([epoch]) => epoch));
    const epoch = epochs.reduce((best, next) => Math.abs(next - at) < Math.abs(best - at) ? next : best, Infinity);
    const found = plot.curves
      .map(([name, color, points]) => ({ name, color, value: points.find(point => point[0] === epoch)?.[1] }))
      .filter(({ value }) => value !== undefined)
      .sort((a, b) => b.value - a.value);
    if (found.length === 0) return leave();
    values.replaceChildren(`epoch ${epoch}`, ...found.map(({ name, color, value }) => {
      const line = document.createElement("div");
      const key = document.createElement("span");
      key.className = "key";
      key.style.setProperty("--key", color);
      line.append(key, `${name}: ${value}`);
      return line;
    }));
    values.hidden = false;
    const right = document.documentElement.clientWidth - values.offsetWidth - 8;
    values.style.left = `${window.scrollX + Math.max(4, Math.min(event.clientX + 14, right))}px`;
    values.style.top = `${window.scrollY + event.clientY + 14}px`;
  });
}
