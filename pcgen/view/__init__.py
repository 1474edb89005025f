"""Looking at clouds: windows, pictures and films without a screen, and plots of what was learned.

    from pcgen import data, training, view

    chairs = data.load("shapes:chair@test").select(range(8))
    mugs = data.load("shapes:mug@test").select(range(8))
    view.picture(chairs, "chairs.png")  # one PNG; what it returns says which engine drew, and why
    view.picture([chairs, mugs], "both.png", rows=["chairs", "mugs"], columns=8, captions=())
    view.film(chairs, "chairs.gif")  # they turn once about the up axis
    view.show(chairs)  # a window to turn them in
    view.curves(training.Run.open("runs/ae").history, "losses.png")

Pictures are drawn by Open3D in a process of its own and, where it is missing or fails, by matplotlib, with the same
camera, colours and light. Neither they nor torch are imported until something is drawn.
"""

from pcgen.view.camera import Camera
from pcgen.view.film import animate, film
from pcgen.view.nearest import Pairs, nearest_pairs
from pcgen.view.plots import curves, scatter
from pcgen.view.sheet import Picture, picture
from pcgen.view.window import show

__all__ = ["Camera", "Pairs", "Picture", "animate", "curves", "film", "nearest_pairs", "picture", "scatter", "show"]
