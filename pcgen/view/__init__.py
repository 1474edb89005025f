"""Looking at clouds: windows, pictures without a screen, and plots of what was learned.

Imports neither torch nor Open3D nor matplotlib until something is drawn.
"""

from pcgen.view.camera import Camera
from pcgen.view.plots import curves, scatter
from pcgen.view.sheet import Picture, picture
from pcgen.view.window import show

__all__ = ["Camera", "Picture", "curves", "picture", "scatter", "show"]
