"""Students that were measured, as a picture."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from keras_kd._figures import BLUE, VERMILION
from keras_kd.budget.limits import cost_of

# What an axis shows, and by what it is divided.
_AXES = {
    "size_bytes": ("file (kB)", 1e3),
    "macs": ("MACs (millions)", 1e6),
    "arena_bytes": ("arena (kB)", 1e3),
    "latency_ms": ("median latency (ms)", 1),
}


def plot(found):
    """A panel for each cost that has a limit, over the parameters.

    Args:
        found: `Found`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    limits = {cost_of(name): value for name, value in found.limits.given.items()}
    costs = [name for name in _AXES if name in limits] or ["size_bytes"]
    figure = Figure(figsize=(max(5.6, 4 * len(costs)), 4), layout="constrained")
    panels = figure.subplots(1, len(costs), squeeze=False)[0]
    for panel, cost in zip(panels, costs, strict=True):
        _draw(panel, found, cost, limits)
    handles, labels = panels[0].get_legend_handles_labels()
    columns = 2 if len(costs) == 1 else len(labels)
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False
    )
    return figure


def _draw(panel, found, cost, limits):
    label, unit = _AXES[cost]
    if cost in limits:
        panel.axhline(limits[cost] / unit, color="black", linestyle="--", linewidth=1)
    if "params" in limits:
        panel.axvline(limits["params"], color="black", linestyle="--", linewidth=1)
    looks = (
        ("fits", True, {"marker": "o", "color": BLUE}),
        ("over a limit", False, {"marker": "x", "color": VERMILION}),
    )
    for name, fits, look in looks:
        some = [one for one in found.tried if one.fits == fits]
        values = [getattr(one, cost) / unit for one in some]
        panel.scatter([one.params for one in some], values, label=name, **look)
    panel.scatter(
        found.chosen.params,
        getattr(found.chosen, cost) / unit,
        s=160,
        facecolors="none",
        edgecolors="black",
        label=f"chosen: width {found.chosen.width:g}, depth {found.chosen.depth:g}",
    )
    if cost in limits or "params" in limits:
        panel.plot([], [], color="black", linestyle="--", linewidth=1, label="limit")
    panel.set_xlabel("parameters")
    panel.set_ylabel(label)
    panel.xaxis.set_major_formatter(FuncFormatter(_shortened))
    panel.set_ylim(bottom=0)
    panel.set_xlim(left=0)
    panel.spines[["top", "right"]].set_visible(False)


def _shortened(value, _):
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
