// The map of codes: a mark for each cloud, some of the clouds themselves, and one of them large.
const map = (() => {
  const { page, canvasOf, forget, show, keys } = clouds;
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = [
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", // circle
    "M-3.6 -3.6h7.2v7.2h-7.2z", // square
    "M0 -4.8L4.5 3.4H-4.5z", // triangle
    "M0 -5L4.6 0L0 5L-4.6 0z", // diamond
    "M-4.6 -1.5h3.1v-3.1h3v3.1h3.1v3h-3.1v3.1h-3v-3.1h-3.1z", // cross
  ];
  const HUES = 30; // of common.css
  const MARGIN = 34; // pixels that are left free along the edges
  const REACH = 24; // pixels within which the pointer finds a cloud
  const APART = 1.25; // sides of a small cloud between the middles of two
  const MOST = 90; // small clouds
  const frame = document.getElementById("map");
  const [under, over] = frame.querySelectorAll("svg"); // the small clouds
  const large = document.getElementById("large");
  const caption = large.querySelector("figcaption");
  const which = document.getElementById("which");
  const small = document.getElementById("small");
  const visible = new Set(page.sets.keys());
  const byClass = page.classes.length > 1;
  const ends = page.ways ? page.ways.ends : [[0, 0]];
  const marked = new Set(page.ways ? ends.map((end) => end.join(" ")) : []);
  const listeners = [];
  let marks = []; // of all clouds that are shown: set, place, and where on the screen
  let chosen = { set: ends[0][0], place: ends[0][1] };
  let kept = false;
  let way = null; // the way that is walked, and the step that it is at

  const canvas = canvasOf(page.sets[0], 0, "");
  canvas.spins = true;
  canvas.tabIndex = 0;
  canvas.addEventListener("keydown", keys);
  large.prepend(canvas);

  function drawn(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function number() {
    return which ? which.selectedIndex : 0;
  }

  function hueOf(set, place) {
    if (!byClass) return `s${set % HUES}`;
    const label = page.sets[set].labels[place];
    return label === null ? "" : `s${label % HUES}`;
  }

  function titleOf({ set, place }) {
    const { name, titles, labels } = page.sets[set];
    const kind = !byClass || labels[place] === null ? "" : `, ${page.classes[labels[place]]}`;
    return `${titles[place]}${kind}, ${name}`;
  }

  // From a map's coordinates to pixels: the same unit along both directions, and room for all sets, shown or not.
  function projection(plane) {
    const all = page.sets.flatMap((set) => set.places[plane]);
    const [low, high] = [Math.min, Math.max].map((most) => [0, 1].map((k) => most(...all.map((place) => place[k]))));
    const room = [frame.clientWidth - 2 * MARGIN, frame.clientHeight - 2 * MARGIN];
    const scales = [0, 1].filter((k) => high[k] > low[k]).map((k) => Math.max(1, room[k]) / (high[k] - low[k]));
    const scale = scales.length ? Math.min(...scales) : 1;
    return ([x, y]) => [
      frame.clientWidth / 2 + (x - (low[0] + high[0]) / 2) * scale,
      frame.clientHeight / 2 - (y - (low[1] + high[1]) / 2) * scale,
    ];
  }

  function draw() {
    const at = projection(number());
    marks = page.sets.flatMap(({ places }, set) =>
      (visible.has(set) ? places[number()] : []).map((found, place) => {
        const [x, y] = at(found);
        return { set, place, x, y };
      }),
    );
    for (const svg of [under, over]) svg.setAttribute("viewBox", `0 0 ${frame.clientWidth} ${frame.clientHeight}`);
    under.replaceChildren(
      ...marks.map((mark) =>
        drawn("path", {
          class: `mark ${hueOf(mark.set, mark.place)}${marked.has(`${mark.set} ${mark.place}`) ? " end" : ""}`,
          d: SHAPES[mark.set % SHAPES.length],
          transform: `translate(${mark.x.toFixed(1)} ${mark.y.toFixed(1)})`,
        }),
      ),
    );
    drawOver();
  }

  // The way that is walked, which is known in the first map, and a ring around the cloud that is large.
  function drawOver() {
    over.replaceChildren();
    if (way && number() === 0) {
      const at = projection(0);
      const trace = way.places.map(at).map((place) => place.map((value) => value.toFixed(1)).join(" "));
      over.append(drawn("path", { class: "trace", d: `M${trace.join("L")}` }));
      const [x, y] = at(way.places[way.step]);
      over.append(drawn("circle", { class: "step", cx: x, cy: y, r: 5 }));
    }
    const mark = marks.find(({ set, place }) => set === chosen.set && place === chosen.place);
    if (mark) over.append(drawn("circle", { class: "here", cx: mark.x, cy: mark.y, r: 8 }));
  }

  // Clouds that are far from each other: each next one is the farthest from all before, until there is no room.
  function thumbnails() {
    const old = frame.querySelectorAll("canvas");
    forget(old);
    for (const each of old) each.remove();
    if (!small.checked || !marks.length) return;
    const side = frame.clientWidth < 500 ? 40 : 56;
    const gaps = marks.map(() => Infinity);
    for (let next = 0, count = 0; gaps[next] >= APART * side && count < MOST; count++) {
      const { set, place, x, y } = marks[next];
      const made = canvasOf(page.sets[set], place, page.sets[set].titles[place]);
      const [wide, high] = [frame.clientWidth / 100, frame.clientHeight / 100]; // in percent, for paper
      Object.assign(made.style, { left: `${(x - side / 2) / wide}%`, top: `${(y - side / 2) / high}%`, width: `${side / wide}%` });
      frame.append(made);
      marks.forEach((mark, i) => (gaps[i] = Math.min(gaps[i], Math.max(Math.abs(mark.x - x), Math.abs(mark.y - y)))));
      next = gaps.reduce((best, gap, i) => (gap > gaps[best] ? i : best), 0);
    }
  }

  function redraw() {
    draw();
    thumbnails();
  }

  function choose({ set, place }) {
    chosen = { set, place };
    caption.textContent = titleOf(chosen);
    show(canvas, page.sets[set], place, caption.textContent);
    drawOver();
    for (const listener of listeners) listener(chosen);
  }

  // The mark that costs least, if it costs no more than `most`.
  function cheapest(cost, most = Infinity) {
    let best = null;
    let least = most;
    for (const mark of marks) {
      const price = cost(mark);
      if (price <= least) [best, least] = [mark, price];
    }
    return best;
  }

  function pointed(event) {
    const { left, top } = frame.getBoundingClientRect();
    return cheapest((mark) => Math.hypot(mark.x - event.clientX + left, mark.y - event.clientY + top), REACH);
  }

  function next(x, y) {
    const from = marks.find(({ set, place }) => set === chosen.set && place === chosen.place) ?? marks[0];
    return cheapest((mark) => {
      const along = (mark.x - from.x) * x + (mark.y - from.y) * y;
      const across = Math.abs((mark.x - from.x) * y) + Math.abs((mark.y - from.y) * x);
      return along > 0.01 ? along + 2 * across : NaN;
    });
  }

  frame.addEventListener("pointermove", (event) => {
    const found = kept || event.pointerType === "touch" ? null : pointed(event);
    if (found && (found.set !== chosen.set || found.place !== chosen.place)) choose(found);
  });
  frame.addEventListener("click", (event) => {
    const found = pointed(event);
    kept = found !== null;
    if (found) choose(found);
  });
  frame.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!steps[event.key]) return;
    event.preventDefault();
    const found = marks.length ? next(...steps[event.key]) : null;
    if (found) choose(found);
  });

  // What is shown, and what it is.
  function symbol(shape, hue) {
    const made = drawn("svg", { viewBox: "-6 -6 12 12", "aria-hidden": "true" });
    made.append(drawn("path", { class: `mark ${hue}`, d: SHAPES[shape % SHAPES.length] }));
    return made;
  }

  function legend(shape, hue, text) {
    const item = document.createElement("li");
    item.append(symbol(shape, hue), text);
    document.getElementById("legend").append(item);
  }

  page.sets.forEach((set, number) => {
    const button = document.createElement("button");
    button.textContent = `${set.name} (${set.clouds})`;
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      if (!visible.delete(number)) visible.add(number);
      button.setAttribute("aria-pressed", visible.has(number));
      redraw();
    });
    document.getElementById("sets").append(button);
    legend(number, byClass ? "" : `s${number % HUES}`, set.name);
  });
  if (byClass) page.classes.forEach((name, label) => legend(0, `s${label % HUES}`, name));

  function about() {
    const lines = page.maps[number()].about.map((text) => {
      const line = document.createElement("p");
      line.className = "note";
      line.textContent = text;
      return line;
    });
    document.getElementById("about").replaceChildren(...lines);
  }

  which?.addEventListener("change", () => {
    about();
    redraw();
  });
  small.addEventListener("change", thumbnails);
  redraw();
  let width = frame.clientWidth;
  new ResizeObserver(() => {
    if (frame.clientWidth !== width) redraw();
    width = frame.clientWidth;
  }).observe(frame);
  about();
  choose(chosen);

  return {
    onChoose(listener) {
      listeners.push(listener);
      listener(chosen);
    },
    trace(places, step) {
      way = { places, step };
      drawOver();
    },
  };
})();
