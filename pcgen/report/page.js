// A report: galleries that can be ordered, one cloud large, tables that can be sorted and filtered.
(() => {
  const { page, canvasOf, forget, paint, keys } = clouds;

  const dialog = document.getElementById("large");
  dialog.addEventListener("keydown", keys);
  function enlarge(set, place) {
    const pair = dialog.querySelector(".pair");
    forget(pair.querySelectorAll("canvas"));
    pair.replaceChildren(canvasOf(set, place, set.titles[place]));
    if (page.train && set.beside.length) pair.append(canvasOf(page.train, set.beside[place], "its nearest training cloud"));
    dialog.querySelector("p").textContent = described(set, place) + (pair.children.length > 1 ? "; right: its nearest training cloud" : "");
    dialog.showModal();
    for (const canvas of pair.children) paint(canvas);
  }

  function described(set, place) {
    const numbers = Object.entries(set.numbers).map(([name, values]) => `${name} ${values[place]}`);
    return [`${set.name}: ${set.titles[place]}`, ...numbers].join(", ");
  }

  // Galleries: which sets, in what order, how many of each, and with what beside.
  const shown = document.getElementById("galleries");
  const order = document.getElementById("order");
  const count = document.getElementById("count");
  const beside = document.getElementById("beside");
  const chosen = new Set(page.galleries.slice(0, 3).map((set) => set.name));

  function ordered(set) {
    const places = [...Array(set.clouds).keys()];
    const [name, way] = order.value.split("|");
    const values = set.numbers[name];
    if (!values) return places;
    return places.sort((i, j) => (values[i] - values[j]) * (way === "up" ? 1 : -1));
  }

  function cellOf(set, place) {
    const cell = document.createElement("figure");
    cell.className = "cell";
    cell.tabIndex = 0;
    const pair = document.createElement("div");
    pair.className = "pair";
    pair.append(canvasOf(set, place, described(set, place)));
    if (beside && beside.checked && set.beside.length) {
      pair.append(canvasOf(page.train, set.beside[place], "its nearest training cloud"));
    }
    const caption = document.createElement("figcaption");
    const name = order.value.split("|")[0];
    const value = set.numbers[name];
    caption.textContent = value ? `${set.titles[place]}: ${value[place]}` : set.titles[place];
    caption.title = described(set, place);
    cell.append(pair, caption);
    cell.addEventListener("click", (event) => {
      if (!event.target.moved) enlarge(set, place);
    });
    cell.addEventListener("keydown", (event) => {
      if (!keys(event) && event.key === "Enter") enlarge(set, place);
    });
    return cell;
  }

  function fill() {
    forget(shown.querySelectorAll("canvas"));
    const most = Math.max(1, Number(count.value) || 1);
    shown.replaceChildren(
      ...page.galleries.filter((set) => chosen.has(set.name)).map((set) => {
        const gallery = document.createElement("div");
        gallery.className = "gallery";
        const title = document.createElement("h3");
        title.textContent = set.name;
        const cells = document.createElement("div");
        cells.className = "cells";
        if (beside && beside.checked && set.beside.length) cells.style.setProperty("--cell", "260px");
        cells.append(...ordered(set).slice(0, most).map((place) => cellOf(set, place)));
        gallery.append(title, cells);
        return gallery;
      }),
    );
  }

  if (shown) {
    const names = new Set(page.galleries.flatMap((set) => Object.keys(set.numbers)));
    order.append(new Option("as sampled", "|"));
    for (const name of names) {
      order.append(new Option(`${name}, lowest first`, `${name}|up`), new Option(`${name}, highest first`, `${name}|down`));
    }
    for (const set of page.galleries) {
      const button = document.createElement("button");
      button.textContent = set.name;
      button.setAttribute("aria-pressed", chosen.has(set.name));
      button.addEventListener("click", () => {
        if (!chosen.delete(set.name)) chosen.add(set.name);
        button.setAttribute("aria-pressed", chosen.has(set.name));
        fill();
      });
      document.getElementById("sets").append(button);
    }
    count.max = Math.max(...page.galleries.map((set) => set.clouds));
    for (const control of [order, count, beside]) if (control) control.addEventListener("change", fill);
    fill();
  }

  // Tables.
  for (const table of document.querySelectorAll("section table:not(.options)")) {
    const body = table.querySelector("tbody.models");
    if (!body) continue;
    const heads = [...table.querySelectorAll("thead th")];
    heads.forEach((head, place) =>
      head.querySelector("button").addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => (place ? Number(row.cells[place].dataset.value ?? NaN) : row.cells[0].textContent);
        const rows = [...body.rows].sort((a, b) => {
          const [p, q] = [key(a), key(b)];
          if (place && (Number.isNaN(p) || Number.isNaN(q))) return Number.isNaN(p) - Number.isNaN(q);
          return (place ? p - q : p.localeCompare(q)) * (down ? -1 : 1);
        });
        body.append(...rows);
      }),
    );
    const filter = table.closest("section").querySelector(".filter");
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const row of body.rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    });
  }
})();
