"""Contrastive distillation: its draws, its memories, and its way through `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd import losses
from keras_kd._checks import InvalidInputError
from keras_kd.data import Examples
from keras_kd.losses.relations.contrast import draw_negatives
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)


def outputs(features, classes=3):
    features = tf.constant(features, "float32")
    return ModelOutputs(tf.zeros((len(features), classes)), {"pool": features})


def built(**options):
    options = {"num_examples": 6, "num_negatives": 4, "embedding_dim": 5, **options}
    loss = losses.ContrastiveDistillation("pool", "pool", **options)
    shapes = ModelOutputs((None, 3), {"pool": (None, 7)})
    loss.build(shapes, shapes)
    return loss


def normalised(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_negatives_are_of_other_classes_and_each_as_likely():
    classes = np.array([2, 0, 1, 2, 2, 0, 1, 1, 1, -1])
    ids = np.array([0, 1, 2])
    drawn = np.asarray(draw_negatives(ids, tf.constant(classes), 20_000, seed=1))
    for row, number in zip(drawn, ids, strict=True):
        others = np.flatnonzero(classes != classes[number])
        seen, counts = np.unique(row, return_counts=True)
        np.testing.assert_array_equal(seen, others)
        expected = 20_000 / len(others)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_memories_move_towards_what_was_seen_and_only_there():
    loss = built(momentum=0.25)
    before = np.asarray(loss.teacher_memory), np.asarray(loss.student_memory)
    teacher, student = GENERATOR.normal(size=(2, 2, 7))
    loss(outputs(teacher), outputs(student), [0, 1], example_ids=[4, 1], training=True)
    sides = (
        (before[0], loss.teacher_memory, teacher, loss.teacher_embedding),
        (before[1], loss.student_memory, student, loss.student_embedding),
    )
    for old, new, features, embedding in sides:
        kernel, bias = map(np.asarray, (embedding.kernel, embedding.bias))
        vectors = normalised(features @ kernel + bias)
        expected = old.copy()
        for row, vector in zip((4, 1), vectors, strict=True):
            expected[row] = normalised(0.25 * old[row] + 0.75 * vector)
        np.testing.assert_allclose(np.asarray(new), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(loss.classes, [-1, 1, -1, -1, 0, -1])


def test_evaluation_changes_nothing():
    loss = built()
    before = [np.asarray(weight) for weight in loss.weights]
    assert len(before) == 8
    one = outputs(np.ones((2, 7)))
    loss(one, one, [0, 1], example_ids=[4, 1])
    for old, weight in zip(before, loss.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))


def test_normalisers_are_those_of_the_first_batch():
    loss = built()
    first, second = (outputs(GENERATOR.normal(size=(2, 7))) for _ in range(2))
    loss(first, first, [0, 1], example_ids=[4, 1], training=True)
    known = np.asarray(loss.normalisers)
    assert (known > 0).all()
    loss(second, second, [0, 1], example_ids=[2, 3], training=True)
    np.testing.assert_array_equal(np.asarray(loss.normalisers), known)


def test_without_labels_only_the_example_itself_is_excluded():
    loss = built(num_examples=2, num_negatives=50)
    one = outputs(GENERATOR.normal(size=(1, 7)))
    value = float(loss(one, one, example_ids=[1], training=False)[0])
    assert np.isfinite(value)
    drawn = draw_negatives(tf.constant([1]), tf.range(2), 50, seed=0)
    assert set(np.asarray(drawn).ravel()) == {0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_examples": 0}, "`num_examples`"),
        ({"num_negatives": 2.5}, "`num_negatives`"),
        ({"temperature": 0.001}, "`temperature` of at least 0.02"),
        ({"momentum": 1.5}, "`momentum`"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InvalidInputError, match=message):
        built(**options)


def test_missing_ids_are_an_error():
    one = outputs(np.ones((2, 7)))
    with pytest.raises(InvalidInputError, match="the number of each example"):
        built()(one, one, [0, 1])


def networks(digits):
    return [
        keras_kd.students.convnet(digits.input_shape, 10, width=width)
        for width in (8, 4)
    ]


def distiller_for(digits, num_examples):
    keras.utils.set_random_seed(0)
    layer = "features"
    loss = losses.ContrastiveDistillation(
        layer, layer, num_examples, num_negatives=64, embedding_dim=16, seed=0
    )
    distiller = keras_kd.Distiller(*networks(digits), loss, alpha=0.5)
    distiller.compile(keras.optimizers.Adam(0.003))
    return distiller


@pytest.mark.slow
def test_fit_remembers_every_example_under_its_number(digits):
    distiller = distiller_for(digits, len(digits.train))
    data = digits.train.batches(64, shuffle_seed=3, ids=True)
    validation = digits.validation.batches(64)
    history = distiller.fit(data, validation_data=validation, epochs=3, verbose=0)
    values = history.history["contrastive_loss"]
    assert values[-1] < values[0]
    assert "val_contrastive_loss" not in history.history
    (loss,) = distiller.objective.losses
    np.testing.assert_array_equal(loss.classes, digits.train.arrays()[1])


def test_fit_takes_numbers_with_arrays_and_no_labels(digits):
    x, _ = digits.train.arrays()
    distiller = distiller_for(digits, 64)
    distiller.objective.alpha = 0
    distiller.fit(Examples(x[:64], np.arange(64)), epochs=1, verbose=0)
    assert distiller.predict(x[:3], verbose=0).shape == (3, 10)
    assert distiller.predict(Examples(x[:3]), verbose=0).shape == (3, 10)


def test_data_without_numbers_is_refused_before_training(digits):
    x, y = digits.train.arrays()
    distiller = distiller_for(digits, 64)
    with pytest.raises(InvalidInputError, match=r"Split\.batches\(\.\.\., ids=True\)"):
        distiller.fit(x, y)
    with pytest.raises(InvalidInputError, match="ids from 0 to 63"):
        distiller.fit(Examples(x, np.arange(len(x))), y)


class Sequence(keras.utils.PyDataset):
    """Numbered batches of 64."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 64

    def __getitem__(self, index):
        rows = np.arange(64 * index, 64 * (index + 1))
        return Examples(self.x[rows], rows), self.y[rows]


@pytest.mark.slow
def test_numbers_arrive_from_every_kind_of_data(digits):
    x, y = (part[:128] for part in digits.train.arrays())
    sequence = Sequence(x, y)
    values = []
    for data in (
        (Examples(x, np.arange(128)), y),
        (sequence,),
        (batch for batch in [sequence[0], sequence[1]]),
    ):
        distiller = distiller_for(digits, 128)
        arguments = data if isinstance(data, tuple) else (data,)
        size = 64 if len(arguments) == 2 else None
        history = distiller.fit(*arguments, batch_size=size, shuffle=False, verbose=0)
        values.append(history.history["contrastive_loss"][0])
    assert values[1:] == pytest.approx(values[:1] * 2)


def test_replicas_share_one_memory(digits, two_replicas):
    x, y = (part[:128] for part in digits.train.arrays())
    with two_replicas.scope():
        distiller = distiller_for(digits, 128)
    (loss,) = distiller.objective.losses
    before = np.asarray(loss.teacher_memory)
    distiller.fit(Examples(x, np.arange(128)), y, batch_size=64, epochs=1, verbose=0)
    moved = np.abs(np.asarray(loss.teacher_memory) - before).max(axis=1)
    assert (moved > 0).all()
    assert (np.asarray(loss.classes) == y).sum() == 64
