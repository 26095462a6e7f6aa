"""Outputs that were computed elsewhere teach as the model that gave them."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.data import Examples
from keras_kd.teachers import PrecomputedTeacher


def model(units, activation=None):
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(units, activation="relu"),
            layers.Dense(3, activation=activation),
        ]
    )


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 4)).astype("float32")
    return x, generator.integers(0, 3, 40)


def trained(teacher, start, x, y):
    """The weights after an epoch of a student that begins with some."""
    student = model(5)
    student.set_weights(start)
    keras.utils.set_random_seed(1)
    distiller = keras_kd.Distiller(teacher, student, alpha=0.3)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(x, y, batch_size=8, verbose=0)
    return student.get_weights()


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("form", ["array", "file", "by id"])
def test_students_equal_those_of_the_model(activation, form, tmp_path):
    x, y = data()
    keras.utils.set_random_seed(0)
    teacher = model(16, activation)
    outputs = teacher.predict(x, verbose=0)
    options = {"from_logits": activation is None}
    if form == "by id":
        order = np.random.default_rng(3).permutation(40)
        names = np.array([f"example {number}" for number in range(40)])
        given = PrecomputedTeacher(outputs[order], ids=names[order], **options)
        examples = given.attach(x, ids=list(names))
    else:
        if form == "file":
            np.save(tmp_path / "outputs.npy", outputs)
            outputs = tmp_path / "outputs.npy"
        given = PrecomputedTeacher(outputs, **options)
        examples = given.attach(x)
    start = model(5).get_weights()
    expected, found = trained(teacher, start, x, y), trained(given, start, examples, y)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_it_is_evaluated_by_the_labels_where_there_are_no_outputs():
    x, y = data()
    teacher = PrecomputedTeacher(np.zeros((40, 3)), from_logits=True)
    distiller = keras_kd.Distiller(teacher, model(5))
    distiller.compile("adam")
    history = distiller.fit(
        teacher.attach(x), y, validation_data=(x[:8], y[:8]), verbose=0
    ).history
    assert "val_student_loss" in history
    assert "val_soft_target_loss" not in history


def test_rows_can_be_put_beside_inputs_by_the_user():
    x, y = data()
    teacher = PrecomputedTeacher(np.zeros((40, 3)), from_logits=True)
    distiller = keras_kd.Distiller(teacher, model(5))
    distiller.compile("adam")
    examples = Examples(x, soft_targets=np.ones((40, 3)))
    assert np.isfinite(distiller.fit(examples, y, verbose=0).history["loss"][0])


X, _ = data()
FINE = np.full((40, 3), 1 / 3)


def with_row(number, value):
    outputs = FINE.copy()
    outputs[number] = value
    return outputs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PrecomputedTeacher(FINE[0], from_logits=True), r"\(n, \.\.\., num"),
        (
            lambda: PrecomputedTeacher(with_row(7, np.nan), from_logits=True),
            "NaN or inf in row 7",
        ),
        (
            lambda: PrecomputedTeacher(with_row(39, [2, -1, 0]), from_logits=False),
            r"outside \[0, 1\] in row 39",
        ),
        (
            lambda: PrecomputedTeacher(with_row(2, 0.5), from_logits=False),
            "sum of 1.5 in row 2",
        ),
        (
            lambda: PrecomputedTeacher(FINE, from_logits=True, ids=[1] * 40),
            "of which 1 differ",
        ),
        (
            lambda: PrecomputedTeacher(FINE, from_logits=True).attach(X[:39]),
            "each of the 40 rows, got 39",
        ),
        (
            lambda: PrecomputedTeacher(
                FINE, from_logits=True, ids=np.arange(40)
            ).attach(X[:1], ids=[40]),
            "outputs for, got 40",
        ),
        (
            lambda: PrecomputedTeacher(FINE, from_logits=True).attach(X, ids=range(40)),
            "for inputs only",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_fingerprint_is_that_of_the_outputs():
    one, same, other = (
        PrecomputedTeacher(outputs, from_logits=True).fingerprint
        for outputs in (FINE, FINE.copy(), with_row(0, 0.0))
    )
    assert one == same != other
