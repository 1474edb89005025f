"""Views of clouds: windows, pictures and films without a screen, and plots of training and metrics.

    from pcgen import data, training, view

    chairs = data.load("shapes:chair@test").select(range(8))
    mugs = data.load("shapes:mug@test").select(range(8))
    view.picture(chairs, "chairs.png")  # one PNG; the result says which engine drew it, and why
    view.picture([chairs, mugs], "both.png", rows=["chairs", "mugs"], columns=8, captions=())
    view.film(chairs, "chairs.gif")  # they turn once about the up axis
    view.show(chairs)  # a window to turn them in
    view.curves(training.Run.open("runs/ae").history, "losses.png")

Pictures are drawn by Open3D in a separate process, or by matplotlib if Open3D is missing or fails, with the same
camera, colours and light. None of these, nor torch, is imported until something is drawn.
"""

from pcgen.view.camera import Camera
from pcgen.view.film import animate, film
from pcgen.view.nearest import Pairs, nearest_pairs
from pcgen.view.plots import curves, scatter
from pcgen.view.sheet import Picture, picture
from pcgen.view.window import show

__all__ = ["Camera", "Pairs", "Picture", "animate", "curves", "film", "nearest_pairs", "picture", "scatter", "show"]
