"""What of the students tried is shown, and how."""

import io

import numpy as np
from matplotlib.figure import Figure

from keras_kd.budget import Candidate, Found, Limits


def candidate(width, params, size_bytes, latency_ms=None, over=(), depth=1.0):
    return Candidate(
        width, depth, 8, params, size_bytes, 10 * params, 5_000, latency_ms, over
    )


SMALL = candidate(0.25, 1_000, 4_000)
MIDDLE = candidate(0.5, 4_000, 9_500)
WORSE = candidate(0.4, 3_900, 9_900, depth=0.5)
LARGE = candidate(0.75, 9_000, 15_000, over=("max_size_bytes",))
FOUND = Found(None, MIDDLE, (LARGE, MIDDLE, WORSE, SMALL), Limits(10_000))


def test_pareto_leaves_out_what_another_beats():
    assert FOUND.pareto == (SMALL, MIDDLE, LARGE)


def test_faster_is_not_beaten_by_larger():
    slow, fast = candidate(0.5, 4_000, 9_000, 3.0), candidate(0.4, 3_900, 9_100, 2.0)
    slower = candidate(0.3, 3_800, 9_200, 2.5)
    found = Found(None, slow, (slower, slow, fast), Limits(max_latency_ms=5))
    assert found.pareto == (fast, slow)


def test_table_is_aligned_text():
    assert FOUND.table.splitlines() == [
        "           width  depth  parameters  file bytes    MACs  arena bytes  over",
        "            0.25      1       1,000       4,000  10,000        5,000",
        "dominated    0.4    0.5       3,900       9,900  39,000        5,000",
        "chosen       0.5      1       4,000       9,500  40,000        5,000",
        "            0.75      1       9,000      15,000  90,000        5,000  size",
        "limit                                    10,000",
    ]


def test_plot_has_a_panel_for_each_limit_and_the_chosen_in_it():
    timed = candidate(0.5, 4_000, 9_500, 2.0)
    limits = Limits(max_size_bytes=10_000, max_params=5_000, max_latency_ms=3.0)
    figure = Found(None, timed, (timed,), limits).plot()
    assert isinstance(figure, Figure)
    size, time = figure.axes
    assert (size.get_xlabel(), size.get_ylabel()) == ("parameters", "file (kB)")
    assert time.get_ylabel() == "median latency (ms)"
    for panel, limit, value in ((size, 10.0, 9.5), (time, 3.0, 2.0)):
        horizontal, vertical, _ = panel.lines
        np.testing.assert_array_equal(horizontal.get_ydata(), [limit, limit])
        np.testing.assert_array_equal(vertical.get_xdata(), [5_000, 5_000])
        chosen = panel.collections[-1].get_offsets()
        np.testing.assert_allclose(chosen, [[4_000, value]])
    figure.savefig(io.BytesIO(), format="png")


def test_plot_without_a_limit_on_the_file_shows_its_size():
    found = Found(None, SMALL, (SMALL,), Limits(max_params=5_000))
    assert [panel.get_ylabel() for panel in found.plot().axes] == ["file (kB)"]
