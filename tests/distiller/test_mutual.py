"""Students that learn together equal a loop written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import log_softmax, softmax

import keras_kd

OPTIONS = {"batch_size": 64, "shuffle": False, "verbose": 0}


def clone(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def together(students, *, optimizer=None, compile_options=(), **options):
    distiller = keras_kd.MutualDistiller(students, **options)
    distiller.compile(
        optimizer or keras.optimizers.SGD(0.1),
        metrics=["accuracy"],
        **dict(compile_options),
    )
    return distiller


def hand_written_steps(students, x, y, *, temperature=1.0, weight=1.0, sample=None):
    """Each student by a tape and SGD of its own; the losses of every step."""
    losses = []
    sample = np.ones(len(x), "float32") if sample is None else sample
    for start in range(0, len(x), 64):
        rows = slice(start, start + 64)
        answers = [
            tf.nn.softmax(clone_in_training(model, x[rows]) / temperature)
            for model in students
        ]
        updates, step_losses = [], []
        for number, model in enumerate(students):
            with tf.GradientTape() as tape:
                logits = model(x[rows], training=True)
                own = tf.nn.log_softmax(logits / temperature)
                hard = tf.nn.sparse_softmax_cross_entropy_with_logits(y[rows], logits)
                peers = [
                    temperature**2 * tf.reduce_sum(p * (tf.math.log(p) - own), axis=-1)
                    for other, p in enumerate(answers)
                    if other != number
                ]
                each = hard + weight * sum(peers) / len(peers)
                loss = tf.reduce_mean(sample[rows] * each) + sum(model.losses)
            updates.append((model, tape.gradient(loss, model.trainable_variables)))
            step_losses.append(float(loss))
        for model, gradients in updates:
            for v, g in zip(model.trainable_variables, gradients, strict=True):
                v.assign_sub(0.1 * g)
        losses.append(sum(step_losses))
    return losses


def clone_in_training(model, x):
    """The logits of a training pass that leaves the statistics of the model alone."""
    return clone(model)(x, training=True)


def assert_same(models, others, tolerance=1e-5):
    for one, other in zip(models, others, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture
def students(make_model):
    return [make_model(6, batch_norm=True, regularizer="l2"), make_model(12)]


def test_fit_equals_a_hand_written_loop(students, arrays):
    by_hand = [clone(model) for model in students]
    expected = hand_written_steps(by_hand, *arrays)
    history = together(students).fit(*arrays, **OPTIONS).history
    assert_same(students, by_hand)
    assert history["loss"][0] == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.slow
def test_three_students_hear_the_mean_of_their_peers(make_model, arrays):
    students = [make_model(units) for units in (4, 6, 8)]
    by_hand = [clone(model) for model in students]
    sample = np.random.default_rng(0).uniform(0, 2, 320).astype("float32")
    options = {"temperature": 3.0, "weight": 0.5}
    expected = hand_written_steps(by_hand, *arrays, sample=sample, **options)
    distiller = together(students, **options)
    history = distiller.fit(*arrays, sample_weight=sample, **OPTIONS).history
    assert_same(students, by_hand)
    assert history["loss"][0] == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.slow
def test_without_weight_each_student_learns_alone(make_model, arrays):
    students = [make_model(6), make_model(12)]
    alone = [clone(model) for model in students]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model in alone:
        model.compile(keras.optimizers.Adam(0.01), loss)
        model.fit(*arrays, **OPTIONS)
    distiller = together(students, weight=0, optimizer=keras.optimizers.Adam(0.01))
    distiller.fit(*arrays, **OPTIONS)
    assert_same(students, alone, 1e-4)


def test_schedules_are_evaluated_at_every_step(make_model, arrays):
    x, y = arrays[0][:128], arrays[1][:128]
    students = [make_model(6), make_model(12)]
    by_hand = [clone(model) for model in students]
    for step, (weight, temperature) in enumerate(((0.0, 4.0), (2.0, 1.0))):
        rows = slice(64 * step, 64 * step + 64)
        hand_written_steps(
            by_hand, x[rows], y[rows], weight=weight, temperature=temperature
        )
    pieces = keras.optimizers.schedules.PiecewiseConstantDecay
    distiller = together(
        students, weight=pieces([0], [0.0, 2.0]), temperature=pieces([0], [4.0, 1.0])
    )
    distiller.fit(x, y, **OPTIONS)
    assert_same(students, by_hand)


def test_logged_values_are_those_of_the_formula(make_model, arrays):
    x, y = arrays
    students = [make_model(6), make_model(12, "softmax")]
    distiller = together(students, weight=0.5)
    logs = distiller.evaluate(x, y, return_dict=True, verbose=0)
    z = [np.asarray(students[0].predict(x, verbose=0), "float64")]
    z.append(np.log(np.asarray(students[1].predict(x, verbose=0), "float64")))
    total = 0.0
    for number, (own, peer) in enumerate((z, z[::-1]), start=1):
        hard = -log_softmax(own, axis=-1)[np.arange(len(y)), y].mean()
        gap = log_softmax(peer, axis=-1) - log_softmax(own, axis=-1)
        soft = (softmax(peer, axis=-1) * gap).sum(axis=-1).mean()
        total += hard + 0.5 * soft
        name = f"student_{number}"
        assert logs[f"{name}_loss"] == pytest.approx(hard, rel=1e-4)
        assert logs[f"{name}_peer_loss"] == pytest.approx(soft, rel=1e-4)
        right = np.mean(own.argmax(-1) == y)
        assert logs[f"{name}_accuracy"] == pytest.approx(right, abs=1e-6)
    assert logs["loss"] == pytest.approx(total, rel=1e-4)
    assert len(logs) == 7
    mean = np.mean([softmax(each, axis=-1) for each in z], axis=0)
    np.testing.assert_allclose(distiller.predict(x, verbose=0), mean, atol=1e-5)


@pytest.mark.quick_for("eager")
@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 4}],
    ids=["eager", "xla", "steps_per_execution"],
)
def test_ways_to_run_a_step_are_equal(students, arrays, options):
    others = [clone(model) for model in students]
    for models, extra in ((students, {}), (others, options)):
        together(models, compile_options=extra).fit(*arrays, epochs=2, **OPTIONS)
    assert_same(students, others, 1e-4)


@pytest.mark.slow
def test_two_replicas_take_the_step_of_one(make_model, arrays, two_replicas):
    assert two_replicas.num_replicas_in_sync == 2
    start = [make_model(n, regularizer="l2").get_weights() for n in (6, 12)]
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            students = [make_model(n, regularizer="l2") for n in (6, 12)]
            for model, weights in zip(students, start, strict=True):
                model.set_weights(weights)
            distiller = together(students)
        results.append((students, distiller.fit(*arrays, epochs=2, **OPTIONS).history))
    (one, one_logs), (two, two_logs) = results
    assert_same(one, two, 1e-4)
    assert set(one_logs) == set(two_logs)
    for name, values in one_logs.items():
        assert two_logs[name] == pytest.approx(values, rel=1e-4), name


@pytest.mark.slow
def test_mixed_precision_scales_the_loss(make_model, arrays):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = make_model(16)
    finally:
        keras.config.set_dtype_policy("float32")
    distiller = together([make_model(16), half], optimizer=keras.optimizers.Adam(0.01))
    assert isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)
    history = distiller.fit(*arrays, epochs=4, **OPTIONS).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]


@pytest.mark.slow
def test_training_continues_exactly_after_loading(students, arrays, tmp_path):
    weight = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 1.0)
    distiller = together(
        students, weight=weight, temperature=2.0, optimizer=keras.optimizers.Adam(0.01)
    )
    distiller.fit(*arrays, **OPTIONS)
    distiller.save(tmp_path / "together.keras")
    loaded = keras.models.load_model(tmp_path / "together.keras")
    assert loaded.infers_hard_loss
    logs = [each.fit(*arrays, epochs=2, **OPTIONS) for each in (distiller, loaded)]
    assert_same(distiller.students, loaded.students, 0)
    assert logs[0].history == logs[1].history
    np.testing.assert_array_equal(
        distiller.predict(arrays[0], verbose=0), loaded.predict(arrays[0], verbose=0)
    )


@pytest.mark.slow
def test_metrics_may_be_objects_and_weighted(students, arrays):
    distiller = keras_kd.MutualDistiller(students)
    top = keras.metrics.SparseTopKCategoricalAccuracy(k=3, name="top_3")
    distiller.compile("adam", metrics=[top], weighted_metrics=["accuracy"])
    sample = np.ones(320, "float32")
    history = distiller.fit(
        *arrays, sample_weight=sample, validation_data=arrays, **OPTIONS
    ).history
    for name in ("student_1_top_3", "val_student_2_top_3", "student_2_accuracy"):
        assert name in history


def test_every_kind_of_data_and_label_is_taken(make_model, arrays):
    x, y = arrays
    start = [make_model(n).get_weights() for n in (6, 12)]
    results = []
    for data in (
        (x, y),
        (tf.data.Dataset.from_tensor_slices((x, np.eye(10)[y])).batch(64),),
        (((x[n : n + 64], y[n : n + 64, None]) for n in range(0, 320, 64)),),
    ):
        students = [make_model(n) for n in (6, 12)]
        for model, weights in zip(students, start, strict=True):
            model.set_weights(weights)
        options = {"shuffle": False, "verbose": 0}
        if len(data) == 2:
            options["batch_size"] = 64
        together(students).fit(*data, **options)
        results.append(students)
    for others in results[1:]:
        assert_same(results[0], others, 1e-5)


@pytest.mark.slow
def test_sigmoid_heads_diverge_label_by_label(make_model, arrays):
    x, y = arrays
    labels = np.eye(10)[y] + np.eye(10)[(y + 3) % 10]
    students = [make_model(4, "sigmoid"), make_model(8, "sigmoid")]
    distiller = together(students)
    logs = distiller.evaluate(x, labels, return_dict=True, verbose=0)
    p, q = (model.predict(x, verbose=0).astype("float64") for model in students)
    own = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    assert logs["student_1_peer_loss"] == pytest.approx(
        own.sum(axis=-1).mean(), rel=1e-4
    )
    hard = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
    assert logs["student_1_loss"] == pytest.approx(hard, rel=1e-4)
    np.testing.assert_allclose(distiller.predict(x, verbose=0), (p + q) / 2, atol=1e-6)
    distiller.fit(x, labels, **OPTIONS)


def test_subclassed_students_are_built_on_the_first_batch(arrays):
    @keras.saving.register_keras_serializable("tests_mutual")
    class Small(keras.Model):
        def __init__(self, classes=10, **kwargs):
            super().__init__(**kwargs)
            self.flatten = layers.Flatten()
            self.scores = layers.Dense(classes)

        def call(self, inputs):
            return self.scores(self.flatten(inputs))

    for method in ("fit", "train_on_batch"):
        students = [Small(), Small()]
        distiller = together(students, from_logits=True)
        getattr(distiller, method)(*arrays)
        assert len(distiller.trainable_variables) == 4
    with pytest.raises(ValueError, match="same number of classes"):
        together([Small(), Small(7)], from_logits=True).fit(*arrays)


@pytest.mark.slow
def test_two_tiny_students_learn_together_as_well_as_alone(make_model, arrays, digits):
    def accuracy(model):
        x, y = digits.validation.arrays()
        return np.mean(model.predict(x, verbose=0).argmax(-1) == y)

    students = [make_model(16), make_model(16)]
    alone = [clone(model) for model in students]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model in alone:
        model.compile(keras.optimizers.Adam(0.01), loss)
        model.fit(*arrays, epochs=12, **OPTIONS)
    distiller = together(students, optimizer=keras.optimizers.Adam(0.01))
    history = distiller.fit(*arrays, epochs=12, **OPTIONS).history
    assert all(np.isfinite(values).all() for values in history.values())
    gain = np.mean([accuracy(m) for m in students]) - np.mean(
        [accuracy(m) for m in alone]
    )
    assert gain > -0.05  # two standard errors of an accuracy of 0.85 on 270 digits
