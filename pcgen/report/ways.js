// Interpolations between two clouds: a slider moves along clouds that were decoded when the page was made.
(() => {
  const { page, canvasOf, show, keys } = clouds;
  const ways = page.ways;
  if (!ways) return;
  const lists = [document.getElementById("from"), document.getElementById("to")];
  const path = document.getElementById("path");
  const slider = document.getElementById("step");
  const names = ways.ends.map(([set, place]) => page.sets[set].titles[place]);
  const pair = [0, 1];

  function figure(set, place, label) {
    const made = document.createElement("figure");
    const canvas = canvasOf(set, place, label);
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", keys);
    const caption = document.createElement("figcaption");
    made.append(canvas, caption);
    document.getElementById("three").append(made);
    return (cloud, at, text) => {
      show(canvas, cloud, at, text);
      caption.textContent = text;
    };
  }
  const first = figure(page.sets[ways.ends[0][0]], ways.ends[0][1], names[0]);
  const between = figure(ways, 0, "on the path");
  const last = figure(page.sets[ways.ends[1][0]], ways.ends[1][1], names[1]);

  // The way between the chosen two; each was made once, and can be walked from either end.
  function walked() {
    const [a, b] = pair;
    const found = ways.ways.find(
      (way) => way.path === path.value && ((way.start === a && way.end === b) || (way.start === b && way.end === a)),
    );
    if (found.start === a) return found;
    return { frames: [...found.frames].reverse(), places: [...found.places].reverse() };
  }

  const go = player(slider, document.getElementById("walk"), 250, (step) => {
    const { frames, places } = walked();
    const share = (step / (frames.length - 1)).toFixed(2);
    between(ways, frames[step], `decoded ${share} of the way from ${names[pair[0]]} to ${names[pair[1]]}`);
    map.trace(places, step);
    return `${share} of the path`;
  });

  function change() {
    lists.forEach((list, side) => (list.value = pair[side]));
    [first, last].forEach((fill, side) => {
      const [set, place] = ways.ends[pair[side]];
      fill(page.sets[set], place, names[pair[side]]);
    });
    go(slider.value);
  }

  // Both ends are never one cloud: what is chosen twice changes its side.
  function put(side, end) {
    if (pair[1 - side] === end) pair[1 - side] = pair[side];
    pair[side] = end;
    change();
  }

  lists.forEach((list, side) => {
    list.append(...names.map((name, end) => new Option(name, end)));
    list.addEventListener("change", () => put(side, Number(list.value)));
  });
  for (const name of new Set(ways.ways.map((way) => way.path))) path.append(new Option(name, name));
  path.addEventListener("change", change);

  let here = -1;
  const buttons = [document.getElementById("start"), document.getElementById("end")];
  buttons.forEach((button, side) => button.addEventListener("click", () => put(side, here)));
  map.onChoose((chosen) => {
    here = ways.ends.findIndex(([set, place]) => set === chosen.set && place === chosen.place);
    for (const button of buttons) {
      button.disabled = here < 0;
      button.title = here < 0 ? "paths join only the clouds with a thick border on the map" : "";
    }
  });
  slider.max = ways.ways[0].frames.length - 1; // all ways are of as many
  slider.value = Math.floor(slider.max / 2);
  change();
})();
