// A slider over frames, and a button that moves it: one frame after the other, and from the last to the first again.
function player(slider, button, milliseconds, draw) {
  const said = slider.parentElement.querySelector("output");
  let due = 0;

  function go(place) {
    slider.value = place;
    said.textContent = draw(Number(slider.value));
    slider.setAttribute("aria-valuetext", said.textContent);
  }

  function tick(now) {
    if (button.getAttribute("aria-pressed") !== "true") return;
    if (now >= due) {
      const last = Number(slider.max);
      const next = Number(slider.value) < last ? Number(slider.value) + 1 : 0;
      go(next);
      due = now + milliseconds * (next === 0 || next === last ? 4 : 1); // the ends can be looked at
    }
    requestAnimationFrame(tick);
  }

  button.addEventListener("click", () => {
    const moves = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", moves);
    due = 0;
    if (moves) tick(performance.now()); // what is pressed moves at once, also where frames are late
  });
  slider.addEventListener("input", () => {
    button.setAttribute("aria-pressed", "false");
    go(slider.value);
  });
  return go;
}
