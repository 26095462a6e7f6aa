"""The one look of all figures."""

import io
import re
import warnings

INK = "#1f2328"
"""Of text, axes and the teacher's marks; becomes the page's own colour in `svg`."""
# Of colours that all people can tell apart: Okabe and Ito, 2008,
# https://jfly.uni-koeln.de/color/. Yellow is left out: it is too pale for lines.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
GREY = "#8c959f"
"""Of what is neither here nor there, in light and in dark."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LONGEST_NAME = 22


def new_figure(width=4.8, height=3.6, *, rows=1, columns=1, **more):
    """A figure with empty panels in the house's look.

    Args:
        width: float, inches.
        height: float, inches.
        rows: int, of panels.
        columns: int, of panels.
        **more: of `Figure.subplots`.

    Returns:
        A `matplotlib.figure.Figure` and an array of its axes, `(rows, columns)`.
    """
    # Slow to import, and wanted by few who measure. Without pyplot, which would keep
    # every figure and may want a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **more)
    for panel in axes.flat:
        _style(panel)
    return figure, axes


def _style(panel):
    panel.set_facecolor("none")
    panel.grid(visible=True, color=GREY, alpha=0.3, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(INK)
    panel.tick_params(colors=INK, labelsize=9)
    for text in (panel.xaxis.label, panel.yaxis.label):
        text.set(color=INK, fontsize=9)


def title(panel, text, **more):
    """Writes a title above a panel in the house's look; `text` is not from data."""
    panel.set_title(text, **{"color": INK, "fontsize": 10} | more)


def legend(panel, **more):
    """A legend of a panel or figure in the house's look, without a frame."""
    return panel.legend(frameon=False, fontsize=9, labelcolor=INK, **more)


def plain(name, longest=_LONGEST_NAME):
    r"""A name from data as matplotlib shows it as it is: short, one line, no formulas.

    Args:
        name: anything; shown with `str`.
        longest: int, how many letters at most.

    Returns:
        A str.

    Example:
        >>> plain("5$ to 7$")
        '5\\$ to 7\\$'
    """
    text = "".join(sign if sign.isprintable() else " " for sign in str(name))
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text.replace("$", r"\$")


def svg(figure, name):
    """A figure as an SVG element to stand in a page, in that page's font and colour.

    Args:
        figure: `matplotlib.figure.Figure`, drawn with `INK`.
        name: str, letters, digits and "-": unlike those of other figures of the page.

    Returns:
        A str, "<svg …>…</svg>", the same for the same figure.
    """
    from matplotlib import rc_context

    file = io.StringIO()
    with (
        # The page has the letters that matplotlib's own font lacks.
        warnings.catch_warnings(action="ignore", category=UserWarning),
        rc_context({"svg.fonttype": "none", "svg.hashsalt": name}),
    ):
        figure.savefig(
            file, format="svg", transparent=True, dpi=144, metadata={"Date": None}
        )
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Two figures of a page shall not take each other's parts.
    return re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", text)
