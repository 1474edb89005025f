// How samples come about, frame by frame.
(() => {
  const { page, canvasOf, show, keys } = clouds;
  const film = page.film;
  if (!film) return;
  const slider = document.getElementById("frame");
  const canvases = [...Array(film.many).keys()].map((place) => {
    const cell = document.createElement("figure");
    cell.className = "cell";
    const canvas = canvasOf(film, place, `sample ${place}`);
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", keys);
    const caption = document.createElement("figcaption");
    caption.textContent = `sample ${place}`;
    cell.append(canvas, caption);
    document.getElementById("film").append(cell);
    return canvas;
  });
  slider.max = film.captions.length - 1;
  const go = player(slider, document.getElementById("play"), 140, (frame) => {
    canvases.forEach((canvas, place) => {
      show(canvas, film, frame * film.many + place, `sample ${place}, ${film.captions[frame]}`);
    });
    return film.captions[frame];
  });
  go(slider.max);
})();
