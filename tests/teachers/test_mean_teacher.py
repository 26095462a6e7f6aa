"""The moving average of a student as its teacher."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.distiller import Checkpoint
from keras_kd.teachers import FrozenTeacher, MeanTeacher

MOMENTUM = 0.8  # reached by t / (t + 1) at step 4
OPTIONS = {"batch_size": 64, "shuffle": False, "verbose": 0}


def distiller_of(student, momentum=MOMENTUM, **compile_options):
    teacher = MeanTeacher(student, momentum)
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5, temperature=2.0)
    distiller.compile(keras.optimizers.SGD(0.1), **compile_options)
    return distiller, teacher.model


def assert_same(weights, others, **tolerance):
    assert len(weights) == len(others)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-5, "atol": 1e-6, **tolerance})


class Recorder(keras.callbacks.Callback):
    """The student's weights after every step."""

    def __init__(self, student):
        super().__init__()
        self.student, self.weights = student, []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append([np.array(w) for w in self.student.get_weights()])


def recurrence(start, steps, momentum):
    """The authors' recurrence in NumPy, float64."""
    average = [np.asarray(weight, "float64") for weight in start]
    for step, weights in enumerate(steps, start=1):
        kept = min(1 - 1 / (step + 1), momentum)
        average = [
            kept * a + (1 - kept) * w for a, w in zip(average, weights, strict=True)
        ]
    return average


def test_average_equals_the_authors_recurrence(make_model, arrays):
    student = make_model(6, batch_norm=True)
    start = student.get_weights()
    distiller, average = distiller_of(student)
    recorder = Recorder(student)
    distiller.fit(*arrays, epochs=2, callbacks=[recorder], **OPTIONS)
    assert len(recorder.weights) == 10
    expected = recurrence(start, recorder.weights, MOMENTUM)
    assert_same(average.get_weights(), expected)
    assert np.abs(average.get_weights()[0] - student.get_weights()[0]).max() > 1e-4


def test_at_first_the_average_is_the_plain_mean(student, arrays):
    start = student.get_weights()
    distiller, average = distiller_of(student, momentum=0.999)
    recorder = Recorder(student)
    distiller.fit(*arrays, callbacks=[recorder], **OPTIONS)
    every = [start, *recorder.weights]
    means = [np.mean(values, axis=0) for values in zip(*every, strict=True)]
    assert_same(average.get_weights(), means)


def test_student_learns_from_the_average_of_the_steps_before(make_model, arrays):
    """A loop by hand: the teacher of a step is the average before that step."""
    x, y = arrays
    student = make_model(6)
    by_hand = keras.models.clone_model(student)
    by_hand.set_weights(student.get_weights())
    teacher = keras.models.clone_model(student)
    teacher.set_weights(student.get_weights())
    for step in range(5):
        rows = slice(64 * step, 64 * step + 64)
        soft = tf.nn.softmax(teacher(x[rows], training=False) / 2.0)
        with tf.GradientTape() as tape:
            logits = by_hand(x[rows], training=True)
            hard = tf.nn.sparse_softmax_cross_entropy_with_logits(y[rows], logits)
            gap = tf.math.log(soft) - tf.nn.log_softmax(logits / 2.0)
            kl = 4.0 * tf.reduce_sum(soft * gap, axis=-1)
            loss = tf.reduce_mean(0.5 * hard + 0.5 * kl)
        variables = by_hand.trainable_variables
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(0.1 * g)
        kept = min(1 - 1 / (step + 2), MOMENTUM)
        for a, w in zip(teacher.weights, by_hand.weights, strict=True):
            a.assign(kept * a + (1 - kept) * w)
    distiller, average = distiller_of(student)
    distiller.fit(x, y, **OPTIONS)
    assert_same(student.get_weights(), by_hand.get_weights())
    assert_same(average.get_weights(), teacher.get_weights())


@pytest.mark.quick_for("eager")
@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 4}],
    ids=["eager", "xla", "steps_per_execution"],
)
def test_ways_to_run_a_step_are_equal(make_model, arrays, options):
    start = make_model(6, batch_norm=True).get_weights()
    averages = []
    for extra in ({}, options):
        student = make_model(6, batch_norm=True)
        student.set_weights(start)
        distiller, average = distiller_of(student, **extra)
        distiller.fit(*arrays, epochs=2, **OPTIONS)
        averages.append(average.get_weights())
    assert_same(*averages, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_replicas_average_like_one(make_model, arrays, two_replicas):
    assert two_replicas.num_replicas_in_sync == 2
    start = make_model(6).get_weights()
    averages = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            student = make_model(6)
            student.set_weights(start)
            distiller, average = distiller_of(student)
        distiller.fit(*arrays, epochs=2, **OPTIONS)
        averages.append(average.get_weights())
        assert distiller.teacher_state.steps.numpy() == 10
    assert_same(*averages, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_mixed_precision_averages_in_float32(make_model, arrays):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        student = make_model(6)
    finally:
        keras.config.set_dtype_policy("float32")
    start = student.get_weights()
    distiller, average = distiller_of(student)
    recorder = Recorder(student)
    distiller.fit(*arrays, callbacks=[recorder], **OPTIONS)
    assert_same(
        average.get_weights(), recurrence(start, recorder.weights, MOMENTUM), atol=1e-6
    )


def test_average_is_not_trained_and_not_counted(make_model, arrays):
    student = make_model(6, regularizer="l2")
    distiller, average = distiller_of(student)
    ours = {id(variable) for variable in distiller.variables}
    assert not ours & {id(variable) for variable in average.variables}
    assert distiller.count_params() == student.count_params()
    logs = distiller.evaluate(*arrays, return_dict=True, verbose=0)
    penalty = 0.01 * np.sum(np.square(student.get_layer("conv").kernel))
    terms = 0.5 * (logs["student_loss"] + logs["soft_target_loss"])
    assert logs["loss"] == pytest.approx(terms + penalty, rel=1e-5)


def test_evaluate_does_not_move_the_average(student, arrays):
    distiller, average = distiller_of(student)
    before = average.get_weights()
    student.get_layer("scores").bias.assign(np.ones(10))
    distiller.evaluate(*arrays, verbose=0)
    assert_same(average.get_weights(), before, rtol=0, atol=0)
    assert int(distiller.teacher_state.steps) == 0


def test_loaded_distiller_goes_on_exactly_without_its_teacher(
    make_model, arrays, tmp_path
):
    distiller, average = distiller_of(make_model(6, batch_norm=True))
    distiller.fit(*arrays, **OPTIONS)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert_same(
        loaded.teacher.model.get_weights(), average.get_weights(), rtol=0, atol=0
    )
    for each in (distiller, loaded):
        each.fit(*arrays, epochs=2, **OPTIONS)
    for ours, theirs in (
        (loaded.student, distiller.student),
        (loaded.teacher.model, average),
    ):
        assert_same(ours.get_weights(), theirs.get_weights(), rtol=0, atol=0)
    assert int(loaded.teacher_state.steps) == 15
    assert loaded.teacher_fingerprint == distiller.teacher_fingerprint


@pytest.mark.slow
def test_interrupted_run_equals_an_uninterrupted_one(make_model, arrays, tmp_path):
    start = make_model(6).get_weights()
    ends = []
    for stops in ([4], [1, 3, 4]):
        for stop in stops:  # a new process each time
            student = make_model(6)
            student.set_weights(start)
            distiller, average = distiller_of(student)
            checkpoint = Checkpoint(tmp_path / f"{len(stops)}", {}, monitor="loss")
            done = checkpoint.resume(distiller)
            distiller.fit(
                *arrays,
                initial_epoch=done,
                epochs=stop,
                callbacks=[checkpoint],
                **OPTIONS,
            )
        ends.append([*student.get_weights(), *average.get_weights()])
    assert_same(*ends, rtol=0, atol=0)


def test_subclassed_student_is_copied(arrays):
    @keras.saving.register_keras_serializable("tests_mean_teacher")
    class Small(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.flatten = layers.Flatten()
            self.scores = layers.Dense(10)

        def call(self, inputs):
            return self.scores(self.flatten(inputs))

    student = Small()
    with pytest.raises(ValueError, match=r"built keras\.Model"):
        MeanTeacher(student)
    student(arrays[0][:1])
    start = student.get_weights()
    teacher = MeanTeacher(student, MOMENTUM, from_logits=True)
    distiller = keras_kd.Distiller(teacher, student, from_logits=True)
    distiller.compile("sgd")
    recorder = Recorder(student)
    distiller.fit(*arrays, callbacks=[recorder], **OPTIONS)
    expected = recurrence(start, recorder.weights, MOMENTUM)
    assert_same(teacher.model.get_weights(), expected)


def test_counts_are_copied_and_not_averaged(arrays):
    class Counting(layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(
                shape=(), dtype="int32", initializer="zeros", trainable=False
            )

        def call(self, x, training=False):
            if training:
                self.calls.assign_add(1)
            return x

    stack = [keras.Input((8, 8, 1)), Counting(), layers.Flatten(), layers.Dense(10)]
    student = keras.Sequential(stack)
    distiller, average = distiller_of(student)
    distiller.fit(*arrays, **OPTIONS)
    assert int(average.layers[0].calls) == 5


@pytest.mark.parametrize("momentum", [1.0, -0.1, float("nan"), "0.9", None, True])
def test_momentum_outside_0_to_1(student, momentum):
    with pytest.raises(ValueError, match="`momentum` to be a number"):
        MeanTeacher(student, momentum)


def test_teacher_of_another_student(make_model):
    with pytest.raises(ValueError, match=r"MeanTeacher\(student\)"):
        keras_kd.Distiller(MeanTeacher(make_model(7)), make_model(6))


def test_weights_too_narrow_to_be_averaged(make_model):
    keras.config.set_dtype_policy("bfloat16")
    try:
        student = make_model(6)
    finally:
        keras.config.set_dtype_policy("float32")
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        MeanTeacher(student)


def test_weights_of_a_distiller_with_another_teacher_are_refused(
    teacher, make_model, arrays, tmp_path
):
    other = keras_kd.Distiller(teacher, make_model(6))
    other.compile("sgd")
    other.fit(*arrays, **OPTIONS)
    other.save_weights(tmp_path / "other.weights.h5")
    distiller, _ = distiller_of(make_model(6))
    with pytest.raises(ValueError, match="mean_teacher"):
        distiller.load_weights(tmp_path / "other.weights.h5")


def test_a_frozen_teacher_can_follow_the_average(make_model, arrays):
    """The average is an ordinary model: it teaches the next student."""
    distiller, average = distiller_of(make_model(6))
    distiller.fit(*arrays, **OPTIONS)
    distiller.attach_teacher(FrozenTeacher(average))
    before = average.get_weights()
    distiller.fit(*arrays, **OPTIONS)
    assert_same(average.get_weights(), before, rtol=0, atol=0)
    assert distiller.teacher_state is None
