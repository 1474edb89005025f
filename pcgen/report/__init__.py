"""Pages about trained models, samples and learned codes: files that open from disk, without a network.

Clouds are drawn in the browser by a small program of the page's own on plain canvases: no WebGL, and no library, is
needed to turn hundreds of them at once, to print them, or to open the page years later.
"""

from pcgen.report.atlas import Atlas
from pcgen.report.content import Content, Gallery, Mark, Model, Table
from pcgen.report.explorer import write_explorer
from pcgen.report.page import write_page

__all__ = ["Atlas", "Content", "Gallery", "Mark", "Model", "Table", "write_explorer", "write_page"]
