// A few clouds in a notebook's output.
(() => {
  const { page, canvasOf, keys, paint } = clouds;
  const cells = document.getElementById("clouds");
  cells.style.setProperty("--columns", page.columns);
  page.set.titles.forEach((title, place) => {
    const cell = document.createElement("figure");
    cell.className = "cell";
    cell.tabIndex = 0;
    cell.addEventListener("keydown", keys);
    const caption = document.createElement("figcaption");
    caption.textContent = caption.title = title;
    cell.append(canvasOf(page.set, place, title), caption);
    cells.append(cell);
  });
  // A browser may not yet tell a frame what of it can be seen.
  for (const canvas of cells.querySelectorAll("canvas")) paint(canvas);
})();
