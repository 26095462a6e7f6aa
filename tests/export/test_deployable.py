"""Students that will not run somewhere are told so by layer, before training."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd._checks import InvalidInputError
from keras_kd.export import check_deployable

EVERYWHERE = ("mobile", "browser", "microcontroller")


class Erf(layers.Layer):
    """What TFLite has no builtin operation for."""

    def call(self, inputs):
        return keras.ops.erf(inputs)


def images(*body, **options):
    stack = [keras.Input((8, 8, 3)), *body, layers.Flatten(), layers.Dense(3)]
    return keras.Sequential(stack, **options)


def words(*body):
    return keras.Sequential([keras.Input((9, 5)), *body, layers.Dense(3)])


def found(student, target, **options):
    answer = check_deployable(student, target=target, **options)
    return [(one.layer, one.operation) for one in answer.problems]


@pytest.mark.parametrize("target", EVERYWHERE)
def test_plain_student_runs_everywhere(target):
    answer = check_deployable(
        images(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()),
        target=target,
    )
    assert answer.ok
    assert answer.problems == answer.remarks == ()
    answer.raise_if_not_ok()
    dtype = "int8" if target == "microcontroller" else "float32"
    assert answer.inspection.inputs[0].dtype == dtype
    assert answer.inspection.macs == 6 * 6 * 4 * 27 + 144 * 3


@pytest.mark.parametrize("target", EVERYWHERE)
def test_missing_operations_are_all_named_by_layer(target):
    block = keras.Sequential([layers.Dense(4), Erf(name="inner")], name="block")
    student = images(layers.Conv2D(4, 3), Erf(name="first"), block)
    assert found(student, target) == [("first", "Erf"), ("block/inner", "Erf")]
    answer = check_deployable(student, target=target)
    with pytest.raises(InvalidInputError) as caught:
        answer.raise_if_not_ok()
    lines = str(caught.value).splitlines()
    assert [line for line in lines if "Erf" in line] == [
        f'- layer "{layer}", Erf: TFLite has no builtin operation for it. Replace the '
        "layer by one of standard operations."
        for layer in ("first", "block/inner")
    ]


@pytest.mark.slow
def test_loops_are_refused_where_int8_is_needed_and_remarked_elsewhere():
    student = words(layers.GRU(4, name="reader"))
    answer = check_deployable(student, target="microcontroller")
    (problem,) = answer.problems
    assert (problem.layer, problem.operation) == ("reader", "WHILE")
    assert "unroll=True" in problem.fix
    answer = check_deployable(student, target="mobile")
    assert answer.ok
    assert [one.layer for one in answer.remarks] == ["reader"]
    unrolled = words(layers.GRU(4, unroll=True))
    assert check_deployable(unrolled, target="microcontroller").ok


@pytest.mark.slow
def test_operations_that_microcontrollers_lack():
    student = images(layers.Dense(4, activation="gelu", name="curved"))
    assert found(student, "microcontroller") == [("curved", "GELU")]
    assert found(student, "mobile") == []
    table = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, name="table"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    assert found(table, "microcontroller") == [("table", "SELECT")]


def test_float_islands_are_remarked():
    student = words(layers.LayerNormalization(name="norm"), layers.Flatten())
    answer = check_deployable(student, target="microcontroller")
    assert answer.ok
    assert {one.layer for one in answer.remarks} == {"norm"}


@pytest.mark.slow
def test_arena_larger_than_ram_names_the_layer():
    student = images(layers.Conv2D(200, 3, name="wide"), layers.MaxPooling2D(6))
    whole = check_deployable(student, target="microcontroller").inspection
    assert whole.arena_bytes >= 6 * 6 * 200 + 8 * 8 * 3
    needed = whole.micro_arena_bytes
    assert found(student, "microcontroller", ram_bytes=needed) == []
    short = check_deployable(student, target="microcontroller", ram_bytes=needed - 1)
    (problem,) = short.problems
    assert (problem.layer, problem.operation) == ("wide", "arena")
    assert f"{needed - 1:,}" in problem.reason
    many = words(layers.LSTM(4, unroll=True), layers.Dense(4))
    (problem,) = check_deployable(
        many, target="microcontroller", ram_bytes=1000
    ).problems
    assert "operations takes a part" in problem.reason


def test_open_sizes_name_the_input():
    inputs = keras.Input((None, None, 3), name="photo")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    student = keras.Model(inputs, layers.Dense(2)(x))
    answer = check_deployable(student, target="mobile")
    (problem,) = answer.problems
    assert (problem.layer, problem.operation) == ("photo", "input")
    assert "(None, None, None, 3)" in problem.reason
    assert answer.inspection is None


def test_several_inputs_or_outputs_are_a_problem():
    first, second = keras.Input((4,)), keras.Input((4,))
    joined = layers.Dense(3)(layers.Concatenate()([first, second]))
    assert found(keras.Model([first, second], joined), "mobile") == [("", "interface")]
    two = keras.Model(first, [layers.Dense(2)(first), layers.Dense(3)(first)])
    assert found(two, "mobile") == [("", "interface")]


def test_browsers_take_few_types():
    student = keras.Sequential(
        [keras.Input((6,), dtype="int64"), layers.Rescaling(0.5), layers.Dense(2)]
    )
    assert found(student, "browser") == [("", "input")]
    assert found(student, "mobile") == []


@pytest.mark.slow
def test_operations_that_cannot_be_prepared_name_their_layer():
    """TFLite's RFFT2D takes powers of two only, which shows when the file is run."""

    class Spectrum(layers.Layer):
        def call(self, inputs):
            return keras.ops.rfft(inputs)[0]

    student = keras.Sequential(
        [keras.Input((30,)), Spectrum(name="spectrum"), layers.Dense(2)]
    )
    for target in ("mobile", "microcontroller"):
        assert found(student, target) == [("spectrum", "RFFT2D")]


def test_what_keras_cannot_trace_is_a_problem_and_no_crash():
    student = keras.Sequential([keras.Input((8,)), layers.Dense(3, name="a layer")])
    (problem,) = check_deployable(student, target="mobile").problems
    assert "a layer" in problem.reason


@pytest.mark.slow
@pytest.mark.parametrize("target", EVERYWHERE)
def test_degenerate_weights_make_no_difference(target):
    student = images(
        layers.Conv2D(4, 3, kernel_initializer="zeros"),
        layers.BatchNormalization(gamma_initializer="zeros"),
        layers.ReLU(),
    )
    student.layers[-1].kernel.assign(keras.ops.zeros_like(student.layers[-1].kernel))
    assert check_deployable(student, target=target).ok


@pytest.mark.slow
def test_subclassed_and_quantisation_aware_students():
    from keras_kd.export import quantization_aware

    class Reader(keras.Model):
        def __init__(self):
            super().__init__()
            self.cell = layers.LSTM(4, name="cell")

        def call(self, inputs):
            return self.cell(inputs)

    student = Reader()
    student(np.zeros((2, 6, 3), "float32"))
    assert found(student, "microcontroller") == [("cell", "WHILE")]
    aware = quantization_aware(images(layers.Conv2D(4, 3, activation="relu")))
    for target in EVERYWHERE:
        assert check_deployable(aware, target=target).ok
    answer = check_deployable(aware, target="browser")
    assert answer.inspection.inputs[0].dtype == "float32"


@pytest.mark.slow
def test_student_is_not_changed():
    student = images(layers.Conv2D(4, 3), layers.BatchNormalization())
    before = [value.copy() for value in student.get_weights()]
    check_deployable(student, target="microcontroller")
    for old, new in zip(before, student.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "phone"}, "'mobile', 'browser', 'microcontroller'"),
        ({"target": "mobile", "ram_bytes": 1000}, "Leave `ram_bytes` out"),
        ({"target": "microcontroller", "ram_bytes": 0}, "above 0"),
        ({"target": "microcontroller", "ram_bytes": 1.5}, "whole number"),
    ],
)
def test_arguments_that_cannot_be_used(options, message):
    with pytest.raises(InvalidInputError, match=message):
        check_deployable(words(layers.Flatten()), **options)


def test_models_that_cannot_be_used():
    with pytest.raises(InvalidInputError, match="expected a built model"):
        check_deployable(keras.Sequential([layers.Dense(2)]), target="mobile")
    with pytest.raises(InvalidInputError, match=r"expected a keras\.Model, got str"):
        check_deployable("student.keras", target="mobile")
    broken = words(layers.Flatten())
    broken.layers[-1].kernel.assign(keras.ops.full((45, 3), np.nan))
    with pytest.raises(InvalidInputError, match="NaN"):
        check_deployable(broken, target="mobile")
