"""`pcgen explore --out`: the page of a run, and in a browser, where there is one, what it does."""

import html
import json
import re

import pytest
import torch
from browser import coloured, dark, needs_browser, shot, shown

from pcgen import data, training
from pcgen.data import Clouds
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.mixtures.som import SOM

SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}


@pytest.fixture
def paths(tmp_path):
    """The run of a map on the codes of an autoencoder, and a file of clouds of two classes."""
    torch.manual_seed(0)
    sides = torch.tensor([[3.0, 1, 1], [1, 1, 3]])[torch.arange(30) % 2] * (0.5 + torch.rand(30, 1))
    points = (torch.rand(30, 64, 3) - 0.5) * sides[:, None]
    names = tuple(f"box{place}" for place in range(30))
    clouds = Clouds(points, labels=torch.arange(30) % 2, classes=("<b>lying", "standing"), names=names)
    data.save(tmp_path / "clouds.npz", clouds)
    autoencoder = training.fit(Autoencoder((64, 3), code=4, reconstruction="chamfer", **SMALL), points, steps=2)
    model = LatentCloudModel(autoencoder, SOM((4,), height=2, width=3))
    training.fit(model, model.encode(points), out=tmp_path / "som", steps=5)
    return tmp_path / "som", tmp_path / "clouds.npz"


def embedded(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_goes_between_the_clouds_that_paths_draws(pcgen, paths, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("pcgen.view.picture", lambda clouds, path, **told: drawn.update(told) or path)
    options = ["--count", 2, "--steps", 4, "--seed", 3]
    assert pcgen("explore", *paths, "--png", tmp_path / "paths.png", *options).code == 0
    result = pcgen("explore", *paths, "--out", tmp_path / "page.html", *options)
    assert result.code == 0, result.err
    page = embedded((tmp_path / "page.html").read_text())
    ends = [page["sets"][number]["titles"][place] for number, place in page["ways"]["ends"]]
    words = drawn["captions"]
    assert ends == [words[0], words[5], words[6], words[11]]
    assert len(page["ways"]["ways"]) == 2 * 6 and {len(way["frames"]) for way in page["ways"]["ways"]} == {4}
    assert re.search(r"page\.html: 0\.\d MB; open it in a browser", result.err)
    assert "The sets train, val and test are the splits of clouds.npz" in result.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--out, --png: must be one of them, got neither; give --out page.html or --png picture.png"),
        (["--out", "a.html", "--png", "a.png"], "--out, --png: must be one of them, got both"),
        (["--out", "a.png"], r"--out: must end in \.html, got a\.png"),
        (["--out", "a.html", "--show", "map"], "--show, --path, --from, --to: are for a picture; leave them out"),
        (["--out", "a.html", "--path", "spherical"], "--show, --path, --from, --to: are for a picture"),
        (["--out", "a.html", "--path", "linear"], "--show, --path, --from, --to: are for a picture"),
        (["--out", "a.html", "--names", "box1"], "must have two clouds or more to interpolate, got 1"),
        (["--out", "a.html", "--names", "box1,box2", "--count", 3], "--count: is for a random choice of clouds, got"),
        (["--out", "a.html", "--names", "box1,bx2"], "--names: must be one of box0, .*; did you mean 'box2'"),
        (
            ["--out", "a.html", "--count", 15, "--steps", 90],
            "ends: 435 paths of 90 clouds, between 30 clouds, are too many",
        ),
    ],
)
def test_what_has_no_page_is_named(pcgen, paths, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    result = pcgen("explore", *paths, *words)
    assert result.code == 2 and re.search(told, result.err), result.err
    assert not list(tmp_path.glob("*.html"))


def test_sources_that_are_no_set_of_clouds_are_named(pcgen, paths, tmp_path):
    run, _ = paths
    folder = tmp_path / "clouds"
    folder.mkdir()
    for size in (40, 50):
        data.save(folder / f"{size}.ply", Clouds(torch.rand(1, size, 3)))
    result = pcgen("explore", run, folder, "--out", tmp_path / "page.html")
    assert result.code == 2 and re.search(r"its clouds have .*--points 40", result.err), result.err
    result = pcgen("explore", run, folder / "40.ply", "--out", tmp_path / "page.html")
    assert result.code == 2 and "40.ply: must have two clouds or more" in result.err, result.err


# What a person does with the page, and what it then shows.
_HANDS = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const found = {};
  const at = (id) => document.getElementById(id);
  const marks = () => document.querySelectorAll("#map .mark").length;
  const caption = () => document.querySelector("#large figcaption").textContent;
  const pixels = (canvas) => canvas.toDataURL();
  const press = (key) => at("map").dispatchEvent(new KeyboardEvent("keydown", { key }));
  found.first = [caption(), at("start").disabled, at("end").disabled];
  const ring = () => Number(document.querySelector(".here").getAttribute("cx"));
  const boxes = [...document.querySelectorAll("#map canvas")].map((each) => each.getBoundingClientRect());
  found.small = boxes.length;
  found.meet = boxes.some((a, i) => boxes.some((b, j) =>
    i < j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
  found.marks = [marks()];
  at("sets").querySelector("button").click();
  found.marks.push(marks());
  at("sets").querySelector("button").click();
  press("ArrowLeft");
  const before = ring();
  press("ArrowRight");
  found.right = ring() - before;
  found.caption = caption();
  const [x, y] = page_middle(document.querySelectorAll("#map .mark")[4]);
  at("map").dispatchEvent(new MouseEvent("click", { clientX: x, clientY: y, bubbles: true }));
  found.clicked = caption();
  at("which").selectedIndex = 1;
  at("which").dispatchEvent(new Event("change"));
  found.about = at("about").textContent;
  at("which").selectedIndex = 0;
  at("which").dispatchEvent(new Event("change"));
  found.buttons = [at("start").disabled, at("end").disabled];
  const middle = document.querySelectorAll("#three canvas")[1];
  const names = () => [...document.querySelectorAll("#three figcaption")].map((each) => each.textContent);
  at("three").scrollIntoView();
  setTimeout(() => {
    const first = pixels(middle);
    at("step").value = at("step").max;
    at("step").dispatchEvent(new Event("input"));
    found.moved = first !== pixels(middle);
    found.said = document.querySelector('output[for="step"]').textContent;
    found.names = names();
    at("from").value = at("to").value;
    at("from").dispatchEvent(new Event("change"));
    found.swapped = names();
    at("walk").click();
    found.walked = Number(at("step").value);
    document.body.dataset.found = JSON.stringify(found);
  }, 300);
}, 300));
function page_middle(mark) {
  const box = mark.getBoundingClientRect();
  return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
}
</script>
"""


@needs_browser
def test_a_browser_shows_the_map_and_walks_between_clouds(pcgen, paths, tmp_path):
    page = tmp_path / "page.html"
    result = pcgen("explore", *paths, "--out", page, "--count", 2)
    assert result.code == 0, result.err
    moved = tmp_path / "moved.html"
    moved.write_text(page.read_text().replace("</body>", f"{_HANDS}</body>"))
    text = shown(moved)
    found = json.loads(html.unescape(re.search(r'<body data-found="(.*?)">', text)[1]))
    sets, ways = (embedded(page.read_text())[name] for name in ("sets", "ways"))
    (first, place), *_ = ways["ends"]
    assert found["first"][0].startswith(f"{sets[first]['titles'][place]}, ") and found["first"][1:] == [False, False]
    every = sum(each["clouds"] for each in sets)
    assert found["marks"] == [every, every - sets[0]["clouds"]]
    assert 3 < found["small"] <= every and not found["meet"]
    assert found["right"] > 0 and re.fullmatch(
        r"(box\d+, (<b>lying|standing)|row \d, .*|sample \d+), .*", found["caption"]
    )
    assert found["clicked"].startswith(f"{sets[0]['titles'][4]}, ")
    assert found["buttons"] == [[0, 4] not in ways["ends"]] * 2
    assert "nearest to its own" in found["about"]
    assert found["moved"] and found["said"] == "1.00 of the path"
    first, _, last = found["names"]
    assert found["swapped"][0] == last and found["swapped"][2] == first
    assert found["walked"] == 0  # from the last step to the first
    light, night, narrow = shot(page, 1200, 1700), shot(dark(page), 1200, 1700), shot(page, 500, 1700)
    assert min(map(coloured, (light, night, narrow))) > 20_000
    assert light[:20].mean() > 200 > 60 > night[:20].mean()
