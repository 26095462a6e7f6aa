"""Against all students of a teacher, each built and converted here."""

import keras
import numpy as np
import pytest

from keras_kd.budget import within
from keras_kd.export import convert
from keras_kd.students import convnet, residual_net, shrink, token_transformer

WIDTHS = (0.2, 0.5, 0.7, 0.8, 1.0)
COSTS = ("params", "size_bytes", "macs", "arena_bytes")


def costs_of(candidate):
    return tuple(getattr(candidate, name) for name in COSTS)


def test_widths_of_the_table_give_all_channels(net):
    """16 and 32 channels at multiples of 8, by hand."""
    found = []
    for width in WIDTHS:
        student = shrink(net, width=width)
        blocks = student.get_layer("block_1"), student.get_layer("block_2")
        found.append(tuple(block.output.shape[-1] for block in blocks))
    assert found == [(8, 8), (8, 16), (8, 24), (16, 24), (16, 32)]


@pytest.mark.quick_for("size")
@pytest.mark.parametrize(
    ("limits", "place"),
    [
        ({"max_size_bytes": lambda costs: costs[2][1]}, 2),
        ({"max_size_bytes": lambda costs: costs[2][1] - 1}, 1),
        ({"max_params": lambda costs: costs[3][0] + 1}, 3),
        ({"max_macs": lambda costs: costs[1][2] + 5}, 1),
        ({"max_arena_bytes": lambda costs: costs[0][3]}, 0),
        (
            {
                "max_size_bytes": lambda costs: costs[3][1],
                "max_macs": lambda costs: costs[2][2],
                "max_params": lambda costs: 10**9,
            },
            2,
        ),
        ({"max_size_bytes": lambda costs: 10**9}, 4),
    ],
    ids=["size", "one byte less", "params", "macs", "arena", "several", "any"],
)
def test_chosen_is_the_largest_that_fits(
    limits, place, net, cache, every_student, file_of, tmp_path
):
    limits = {name: limit(every_student) for name, limit in limits.items()}
    found = within(net, **limits, cache=cache)
    assert costs_of(found.chosen) == every_student[place]
    assert found.chosen.fits
    assert found.chosen in found.tried
    file = file_of(found.student, tmp_path)
    written = (
        found.student.count_params(),
        file.size_bytes,
        file.macs,
        file.micro_arena_bytes,
    )
    for name, limit in limits.items():
        assert written[COSTS.index(name.removeprefix("max_"))] <= limit
    if place < 4:
        larger = every_student[place + 1][0]
        assert [one.fits for one in found.tried if one.params == larger] == [False]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_file_of_the_trained_student_is_no_larger_than_measured(
    precision, arrays, tmp_path
):
    """A new student's equal constants are merged: its own file would be smaller."""
    x, y = arrays
    labels = [f"digit {n}" for n in range(10)]
    options = {"labels": labels, "output": "probabilities"}
    found = within(
        convnet((8, 8, 1), 10, width=8),
        max_params=10**6,
        divisor=16,
        precision=precision,
        export_options=options,
        data=x,
        cache=tmp_path,
    )
    student, path = found.student, tmp_path / "student.tflite"

    def size_bytes():
        return convert(
            student, path, precision=precision, calibration_data=x, **options
        ).size_bytes

    assert size_bytes() < found.chosen.size_bytes
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(keras.optimizers.Adam(0.01), loss)
    student.fit(x, y, epochs=2, verbose=0)
    trained = size_bytes()
    assert 0.98 * found.chosen.size_bytes < trained <= found.chosen.size_bytes


@pytest.mark.slow
def test_depths_are_searched_for_the_largest_of_all(cache):
    net = residual_net((8, 8, 1), 10, width=16, stages=1, blocks=2)
    shallow, narrow = (
        shrink(net, width=width, depth=depth).count_params()
        for width, depth in ((1.0, 0.5), (0.5, 1.0))
    )
    assert narrow < shallow < net.count_params()
    found = within(net, max_params=shallow, depths=(1.0, 0.5), cache=cache)
    assert (found.chosen.params, found.chosen.depth) == (shallow, 0.5)
    assert (1.0, narrow) in {(one.depth, one.params) for one in found.tried}


@pytest.mark.slow
def test_transformer_of_tokens_fits(file_of, cache, tmp_path):
    net = token_transformer(8, 50, 4, width=16, blocks=1, heads=2)
    found = within(net, max_size_bytes=25_000, divisor=4, cache=cache)
    file = file_of(found.student, tmp_path)
    assert file.size_bytes == found.chosen.size_bytes <= 25_000
    above = [one for one in found.tried if one.params > found.chosen.params]
    assert above
    assert all(one.over == ("max_size_bytes",) for one in above)


@pytest.mark.slow
def test_student_has_the_teachers_weights_if_asked(net, arrays, cache):
    x = arrays[0][:64]
    found = within(
        net,
        max_params=10**6,
        init="teacher",
        data=x,
        cache=cache,
        name="small",
    )
    assert found.student.name == "small"
    np.testing.assert_array_equal(found.student(x), net(x))


@pytest.mark.slow
def test_teacher_is_not_changed(net, cache):
    before = [np.array(weight) for weight in net.weights]
    within(net, max_params=3000, init="teacher", cache=cache)
    for old, new in zip(before, net.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_progress_shows_the_last_candidate(net, cache, capsys):
    within(net, max_params=3000, cache=cache, progress=True)
    assert "kB" in capsys.readouterr().out
    within(net, max_params=3000, cache=cache)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_latency_of_this_machine(cache):
    net = convnet((8, 8, 1), 10, width=8)
    found = within(net, max_latency_ms=10_000, cache=False)
    assert found.chosen.params == net.count_params()
    assert 0 < found.chosen.latency_ms < 10_000
