"""The look before the first step changes nothing: no array, no order, no count."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
X = np.random.default_rng(0).uniform(0, 255, (48, 4)).astype("float32")
Y = np.arange(48) % 3


def model(units=3, seed=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), layers.Dense(units)])


def distiller_of(teacher, student, *, alpha=1.0, compiled=None, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, alpha=alpha, **kwargs)
    distiller.compile(keras.optimizers.SGD(1e-4), CROSS_ENTROPY, **compiled or {})
    return distiller


def in_place(x):
    """As `preprocess_input` of `keras.applications` does it with NumPy arrays."""
    x /= 127.5
    x -= 1.0
    return x


def plainly(fit, **compiled):
    """The weights after plain Keras's `fit` of the student alone."""
    student = model()
    student.compile(keras.optimizers.SGD(1e-4), CROSS_ENTROPY, **compiled)
    fit(student)
    return student.get_weights()


def distilled(fit, **compiled):
    student = model()
    fit(distiller_of(model(seed=2), student, compiled=compiled))
    return student.get_weights()


def assert_equal(weights, expected):
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


# What the user's functions are given.


def one(preprocessing):
    return keras_kd.teachers.FrozenTeacher(model(seed=2), preprocessing=preprocessing)


def called(preprocessing, *, numpy=False):
    return keras_kd.teachers.CallableTeacher(
        preprocessing_then_three if numpy else lambda x: preprocessing(x)[:, :3],
        from_logits=True,
        num_classes=3,
        fingerprint="1",
        numpy=numpy,
    )


def preprocessing_then_three(x):
    return in_place(x)[:, :3]


TEACHERS = {
    "model": lambda: one(in_place),
    "ensemble": lambda: keras_kd.teachers.Ensemble([one(in_place), one(in_place)]),
    "callable": lambda: called(in_place),
    "numpy": lambda: called(in_place, numpy=True),
}


@pytest.mark.parametrize("kind", TEACHERS)
def test_fit_leaves_the_callers_array_as_it_was(kind):
    x, y, weight = X.copy(), Y.copy(), np.ones(48, "float32")
    before = [part.tobytes() for part in (x, y, weight)]
    teacher = TEACHERS[kind]()
    distiller = distiller_of(teacher, model(), alpha=0.5)
    distiller.fit(x, y, sample_weight=weight, verbose=0)
    distiller.evaluate(x, y, verbose=0)
    teacher(x)
    assert [part.tobytes() for part in (x, y, weight)] == before


@pytest.mark.quick_for("ensemble")
@pytest.mark.parametrize("kind", TEACHERS)
def test_function_that_works_in_place_trains_like_one_that_does_not(kind):
    pure = {
        "numpy": lambda: called(lambda x: x / 127.5 - 1.0),
        "callable": lambda: called(lambda x: x / 127.5 - 1.0),
    }.get(kind, lambda: one(lambda x: x / 127.5 - 1.0))
    logs, weights = [], []
    for make in (TEACHERS[kind], pure):
        student = model()
        distiller = distiller_of(make(), student, alpha=0.5)
        history = distiller.fit(X.copy(), Y, shuffle=False, verbose=0, epochs=2)
        logs.append(history.history["loss"])
        weights.append(student.get_weights())
    np.testing.assert_allclose(*logs, rtol=1e-4)
    assert_equal(*weights)


@pytest.mark.quick_for("ensemble")
@pytest.mark.parametrize("kind", TEACHERS)
def test_read_only_memory_map_is_trained_on(tmp_path, kind):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    distiller = distiller_of(TEACHERS[kind](), model(), alpha=0.5)
    distiller.fit(x, Y, verbose=0)
    distiller.evaluate(x, Y, verbose=0)
    np.testing.assert_array_equal(x, X)


def test_function_is_given_tensors_in_the_look_as_in_the_step():
    seen = []

    def note(x):
        seen.append((ops.is_tensor(x), keras.backend.standardize_dtype(x.dtype)))
        return x

    for x in (X, X.astype("float64")):
        distiller_of(one(note), model()).fit(x, Y, verbose=0)
    assert set(seen) == {(True, "float32")}


def test_function_may_mix_what_it_is_given_with_new_tensors():
    inputs = {
        name: keras.Input((4,), name=name, dtype="int32")
        for name in ("token_ids", "segment_ids")
    }
    embedded = layers.Add()([layers.Embedding(9, 3)(part) for part in inputs.values()])
    teacher = keras.Model(inputs, layers.GlobalAveragePooling1D()(embedded))
    tokens = keras.Input((4,), name="token_ids", dtype="int32")
    mean = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3)(tokens))
    student = keras.Model({"token_ids": tokens}, mean)
    distiller = keras_kd.Distiller(
        teacher,
        student,
        teacher_preprocessing=lambda z: {
            **z,
            "segment_ids": ops.zeros_like(z["token_ids"]),
        },
    )
    distiller.compile("sgd")
    data = {"token_ids": np.arange(48 * 4).reshape(48, 4) % 9}
    distiller.fit(data, Y, verbose=0)


# What the data are asked for.


def shuffled():
    keras.utils.set_random_seed(5)  # of which the order follows, too
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    return data.shuffle(48, seed=3, reshuffle_each_iteration=True).batch(8)


@pytest.mark.parametrize("options", [{}, {"class_weight": {0: 2.0, 1: 1.0, 2: 1.0}}])
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_seeded_shuffle_gives_the_order_of_plain_keras(options, steps_per_execution):
    def fit(trained):
        data = shuffled()
        for _ in range(2):
            trained.fit(data, epochs=2, verbose=0, **options)

    compiled = {"steps_per_execution": steps_per_execution}
    assert_equal(distilled(fit, **compiled), plainly(fit, **compiled))


@pytest.mark.slow
def test_seeded_shuffle_gives_the_order_of_plain_keras_on_replicas(two_replicas):
    def fit(trained):
        trained.fit(shuffled(), epochs=2, verbose=0)

    with two_replicas.scope():
        expected = plainly(fit)
        assert_equal(distilled(fit), expected)


def test_validation_data_are_read_as_by_plain_keras():
    logged = []

    def fit(trained):
        data = shuffled().take(2)
        history = trained.fit(
            shuffled(), validation_data=data, epochs=3, verbose=0
        ).history
        logged.append(history.get("val_student_loss", history["val_loss"]))

    assert_equal(distilled(fit), plainly(fit))
    np.testing.assert_allclose(*logged, rtol=1e-5)


class Counted(keras.utils.PyDataset):
    """Batches of which each is another whenever it is asked for."""

    def __init__(self):
        super().__init__()
        self.generator = np.random.default_rng(0)
        self.asked_for = []

    def __len__(self):
        return 4

    def __getitem__(self, number):
        self.asked_for.append(number)
        rows = self.generator.choice(48, 8)
        return X[rows], Y[rows]


def test_augmenting_py_dataset_gives_the_batches_of_plain_keras():
    asked_for = []

    def fit(trained):
        data = Counted()
        trained.fit(data, epochs=2, shuffle=False, verbose=0)
        asked_for.append(data.asked_for)

    assert_equal(distilled(fit), plainly(fit))
    assert asked_for[0] == asked_for[1]


def batches(started):
    started.append(True)
    for start in range(0, 48, 8):
        yield X[start : start + 8], Y[start : start + 8]


SPEC = (tf.TensorSpec((None, 4), "float32"), tf.TensorSpec((None,), "int64"))


def test_generator_function_starts_as_often_as_under_plain_keras():
    starts = []

    def fit(trained):
        started = []
        data = tf.data.Dataset.from_generator(
            lambda: batches(started), output_signature=SPEC
        )
        trained.fit(data, epochs=3, verbose=0)
        starts.append(len(started))

    assert_equal(distilled(fit), plainly(fit))
    assert starts == [3, 3]


@pytest.mark.parametrize("kind", ["from_generator", "generator"])
def test_one_generator_loses_no_batch(kind):
    def fit(trained):
        only = batches([])
        data = {
            "generator": only,
            "from_generator": tf.data.Dataset.from_generator(
                lambda: only, output_signature=SPEC
            ),
        }[kind]
        trained.fit(data, verbose=0)

    assert_equal(distilled(fit), plainly(fit))


def test_students_that_learn_together_read_the_data_as_plain_keras_does():
    def fit(trained):
        trained.fit(shuffled(), epochs=2, verbose=0)

    student = model()
    together = keras_kd.distiller.MutualDistiller([student, model(seed=4)], weight=0.0)
    together.compile(keras.optimizers.SGD(1e-4), CROSS_ENTROPY)
    fit(together)
    assert_equal(student.get_weights(), plainly(fit))


def test_data_are_refused_before_the_first_step_wherever_the_look_comes():
    student = model()
    start = student.get_weights()
    bad = Y.copy()
    bad[3] = 7
    for data in (
        tf.data.Dataset.from_tensor_slices((X, bad)).batch(8),
        tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).filter(lambda x, y: False),
        (item for item in [(X, bad)]),
    ):
        for steps in (1, 2):
            distiller = keras_kd.Distiller(model(seed=2), student)
            distiller.compile("sgd", steps_per_execution=steps)
            with pytest.raises(ValueError, match=r"label 7|an empty dataset"):
                distiller.fit(data, verbose=0)
    assert_equal(student.get_weights(), start)


def test_a_data_set_is_looked_at_once():
    calls = itertools.count()
    distiller = distiller_of(one(lambda x: x + 0.0 * next(calls)), model(), alpha=0.5)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    distiller.fit(data, verbose=0)
    asked = next(calls)
    distiller.fit(data, verbose=0)
    assert next(calls) == asked + 1
