"use strict";
// Clouds as small lit balls on plain canvases, turned together; the page's light and dark.
const clouds = (() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const view = { azimuth: 35, elevation: 22 };
  const DISTANCE = 6; // of the eye, in radii of a typical cloud, as in pcgen's pictures
  const FILLED = 0.75; // of a canvas, by a cloud of one radius
  const LARGEST = 1.2; // radii that still fit, with the balls, from every side
  const LIGHT = normalised([-0.4, 0.7, 0.59]);
  const HALFWAY = normalised([LIGHT[0], LIGHT[1], LIGHT[2] + 1]);
  const SPEED = 0.03; // degrees in a millisecond

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
    const fromMiddle = (i, k) => set.values[start + 3 * i + k] - (low[k] + high[k]) / 2;
    let reach = 0; // of the farthest point
    for (let i = 0; i < n; i++) reach = Math.max(reach, Math.hypot(fromMiddle(i, 0), fromMiddle(i, 1), fromMiddle(i, 2)));
    const unit = set.size[place] / 65535 / page.radius;
    const shrunk = Math.max(1, (reach * unit) / LARGEST); // how many times smaller than the others are
    const points = new Float32Array(n * 3);
    const shades = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < 3; k++) points[3 * i + k] = (fromMiddle(i, k) * unit) / shrunk;
      const span = high[1] - low[1];
      const share = span > 0 ? (set.values[start + 3 * i + 1] - low[1]) / span : 0.5;
      shades[i] = Math.round(share * (page.palette.length - 1));
    }
    const times = Number(shrunk.toPrecision(3));
    return { n, points, shades, scale: times > 1 ? `1 : ${times}` : "" };
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
    const { n, points, shades, scale: written } = canvas.cloud;
    const a = ((view.azimuth + canvas.spin) * Math.PI) / 180;
    const e = (view.elevation * Math.PI) / 180;
    const [sa, ca, se, ce] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
    const focal = (side / 2) * FILLED * Math.sqrt(DISTANCE * DISTANCE - 1);
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
    const context = canvas.getContext("2d");
    context.putImageData(image, 0, 0);
    context.font = `${10 * ratio}px system-ui, sans-serif`;
    context.fillStyle = "gray";
    context.textAlign = "right";
    context.fillText(written, side - 3 * ratio, side - 4 * ratio);
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

  // Put a cloud on a canvas, in place of what it had.
  function show(canvas, set, place, label) {
    canvas.cloud = cloudOf(set, place);
    const { scale } = canvas.cloud;
    canvas.setAttribute("aria-label", scale ? `${label}, drawn at ${scale}` : label);
    if (canvas.isConnected) paint(canvas);
  }

  // Canvases that are not kept in the page any longer must be given to `forget`.
  function canvasOf(set, place, label) {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.spin = 0; // degrees beside the others
    canvas.spins = false; // whether it turns by itself, until somebody turns it
    show(canvas, set, place, label);
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      canvas.moved = canvas.spins = false;
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

  function forget(canvases) {
    for (const canvas of canvases) {
      watcher.unobserve(canvas);
      seen.delete(canvas);
    }
  }

  function keys(event) {
    const turns = { ArrowLeft: [15, 0], ArrowRight: [-15, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
    if (!turns[event.key]) return false;
    event.preventDefault();
    turnBy(...turns[event.key]);
    return true;
  }

  // The whole page.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const turning = document.getElementById("turn");
  if (still.matches) turning.setAttribute("aria-pressed", "false");
  turning.addEventListener("click", () => turning.setAttribute("aria-pressed", turning.getAttribute("aria-pressed") !== "true"));
  let before = 0;
  function turnAlone(now) {
    const step = Math.min(100, now - before) * SPEED;
    if (step >= 1) {
      before = now;
      if (turning.getAttribute("aria-pressed") === "true") turnBy(step, 0);
      else if (!still.matches) {
        for (const canvas of seen) {
          if (!canvas.spins) continue;
          canvas.spin += step;
          paint(canvas);
        }
      }
    }
    requestAnimationFrame(turnAlone);
  }
  requestAnimationFrame(turnAlone);

  document.getElementById("theme")?.addEventListener("click", () => {
    document.documentElement.dataset.theme = ground[0] < 128 ? "light" : "dark";
    readGround();
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readGround();
    repaint();
  });
  window.addEventListener("resize", repaint);
  // Paper is white, and shows what cannot be seen on the screen too.
  let onScreen = "";
  window.addEventListener("beforeprint", () => {
    onScreen = document.documentElement.dataset.theme ?? "";
    document.documentElement.dataset.theme = "light";
    readGround();
    for (const canvas of document.querySelectorAll("canvas")) if (canvas.cloud) paint(canvas);
  });
  window.addEventListener("afterprint", () => {
    if (onScreen) document.documentElement.dataset.theme = onScreen;
    else delete document.documentElement.dataset.theme;
    readGround();
    repaint();
  });
  readGround();

  return { page, canvasOf, forget, show, paint, keys };
})();
