"use strict";
// Clouds as small lit balls on plain canvases, turned together; tables that can be sorted and filtered.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const view = { azimuth: 35, elevation: 22 };
  const DISTANCE = 6; // of the eye, in radii of a cloud, as in pcgen's pictures
  const LIGHT = normalised([-0.4, 0.7, 0.59]);
  const HALFWAY = normalised([LIGHT[0], LIGHT[1], LIGHT[2] + 1]);

  function normalised(v) {
    const length = Math.hypot(...v);
    return v.map((each) => each / length);
  }

  // A set's clouds, decoded when the first of them is drawn: centred in their own boxes, in units of the page's radius.
  function cloudOf(set, place) {
    if (!set.values) {
      const bytes = Uint8Array.from(atob(set.data), (each) => each.charCodeAt(0));
      set.values = new Uint16Array(bytes.buffer);
      set.kept = new Map();
    }
    if (!set.kept.has(place)) set.kept.set(place, centred(set, place));
    return set.kept.get(place);
  }

  function centred(set, place) {
    const n = set.points;
    const start = place * n * 3;
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    for (let i = 0; i < n * 3; i++) {
      const value = set.values[start + i];
      if (value < low[i % 3]) low[i % 3] = value;
      if (value > high[i % 3]) high[i % 3] = value;
    }
    const unit = set.size / 65535 / page.radius;
    const points = new Float32Array(n * 3);
    const shades = new Uint8Array(n);
    const shrink = Math.max(1, (Math.max(...high.map((h, i) => h - low[i])) * unit) / 8); // one far larger than the rest
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < 3; k++) {
        points[3 * i + k] = ((set.values[start + 3 * i + k] - (low[k] + high[k]) / 2) * unit) / shrink;
      }
      const span = high[1] - low[1];
      const share = span > 0 ? (set.values[start + 3 * i + 1] - low[1]) / span : 0.5;
      shades[i] = Math.round(share * (page.palette.length - 1));
    }
    return { n, points, shades };
  }

  // The pixels of a ball of that radius: where, how near, and how much light it throws back.
  const stamps = new Map();
  function stampOf(radius) {
    const key = Math.round(radius * 4);
    if (stamps.has(key)) return stamps.get(key);
    const r = key / 4;
    const reach = Math.ceil(r);
    const stamp = [];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const square = (x * x + y * y) / (r * r);
        if (square > 1) continue;
        const normal = [x / r, -y / r, Math.sqrt(1 - square)];
        const facing = normal[0] * LIGHT[0] + normal[1] * LIGHT[1] + normal[2] * LIGHT[2];
        const gloss = Math.max(0, normal[0] * HALFWAY[0] + normal[1] * HALFWAY[1] + normal[2] * HALFWAY[2]);
        stamp.push([x, y, normal[2], 0.56 + 0.56 * (0.5 + 0.5 * facing) ** 1.5, 0.3 * gloss ** 24]);
      }
    }
    stamps.set(key, stamp);
    return stamp;
  }

  let ground = [255, 255, 255];
  function readGround() {
    const found = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g);
    if (found) ground = found.slice(0, 3).map(Number);
  }

  const buffers = new Map(); // of each size of canvas
  function paint(canvas) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const side = Math.max(32, Math.round(canvas.clientWidth * ratio));
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    if (!buffers.has(side)) buffers.set(side, { depth: new Float32Array(side * side), image: new ImageData(side, side) });
    const { depth, image } = buffers.get(side);
    const pixels = image.data;
    depth.fill(-Infinity);
    pixels.fill(0);
    const { n, points, shades } = canvas.cloud;
    const a = (view.azimuth * Math.PI) / 180;
    const e = (view.elevation * Math.PI) / 180;
    const [sa, ca, se, ce] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
    const focal = (side / 2) * 0.8 * Math.sqrt(DISTANCE * DISTANCE - 1) / 1.25;
    const size = Math.max(1.1 * ratio, (side * 1.1) / Math.sqrt(n));
    for (let i = 0; i < n; i++) {
      const [px, py, pz] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
      const x = ca * px - sa * pz;
      const y = -se * sa * px + ce * py - se * ca * pz;
      const z = ce * sa * px + se * py + ce * ca * pz;
      const scale = focal / (DISTANCE - z);
      const cx = Math.round(side / 2 + x * scale);
      const cy = Math.round(side / 2 - y * scale);
      const radius = (size * scale * DISTANCE) / focal / 2;
      const near = radius / scale; // of the ball's front, in units of the cloud
      const far = 0.35 * Math.min(1, Math.max(0, (1.2 - z) / 2.4)); // the ground shows through what is far
      const base = page.palette[shades[i]];
      for (const [dx, dy, height, light, gloss] of stampOf(radius)) {
        const u = cx + dx;
        const v = cy + dy;
        if (u < 0 || v < 0 || u >= side || v >= side) continue;
        const at = v * side + u;
        const here = z + height * near;
        if (here <= depth[at]) continue;
        depth[at] = here;
        for (let k = 0; k < 3; k++) {
          const colour = Math.min(255, base[k] * light + 255 * gloss);
          pixels[4 * at + k] = colour * (1 - far) + ground[k] * far;
        }
        pixels[4 * at + 3] = 255;
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // Only canvases that can be seen are drawn, once a frame at most.
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.add(entry.target);
        paint(entry.target);
      } else seen.delete(entry.target);
    }
  });
  let waiting = false;
  function repaint() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const canvas of seen) if (canvas.isConnected) paint(canvas);
    });
  }

  function turnBy(azimuth, elevation) {
    view.azimuth = (view.azimuth + azimuth) % 360;
    view.elevation = Math.max(-90, Math.min(90, view.elevation + elevation));
    repaint();
  }

  function canvasOf(set, place, label) {
    const canvas = document.createElement("canvas");
    canvas.cloud = cloudOf(set, place);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      canvas.moved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      if (Math.hypot(dx, dy) < 3 && !canvas.moved) return;
      canvas.moved = true;
      last = [event.clientX, event.clientY];
      turnBy(-dx * 0.8, dy * 0.6);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
    watcher.observe(canvas);
    return canvas;
  }

  function keys(event) {
    const turns = { ArrowLeft: [15, 0], ArrowRight: [-15, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
    if (!turns[event.key]) return false;
    event.preventDefault();
    turnBy(...turns[event.key]);
    return true;
  }

  const dialog = document.getElementById("large");
  dialog.addEventListener("keydown", keys);
  function enlarge(set, place) {
    const pair = dialog.querySelector(".pair");
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
    seen.clear();
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

  function option(value, text) {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    return made;
  }

  if (shown) {
    const names = new Set(page.galleries.flatMap((set) => Object.keys(set.numbers)));
    order.append(option("|", "as drawn"));
    for (const name of names) order.append(option(`${name}|up`, `${name}, least first`), option(`${name}|down`, `${name}, most first`));
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

  // The whole page.
  const turning = document.getElementById("turn");
  turning.addEventListener("click", () => turning.setAttribute("aria-pressed", turning.getAttribute("aria-pressed") !== "true"));
  let before = 0;
  function turnAlone(now) {
    if (turning.getAttribute("aria-pressed") === "true") turnBy(Math.min(100, now - before) * 0.03, 0);
    before = now;
    requestAnimationFrame(turnAlone);
  }
  document.getElementById("theme").addEventListener("click", () => {
    const dark = ground[0] < 128;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    readGround();
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readGround();
    repaint();
  });
  window.addEventListener("resize", repaint);
  window.addEventListener("beforeprint", () => {
    for (const canvas of shown ? shown.querySelectorAll("canvas") : []) paint(canvas);
  });
  readGround();
  if (shown) fill();
  requestAnimationFrame(turnAlone);
})();
