"""Everything that `fit` of a Keras model takes, and every kind of label."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import expit

import keras_kd


def distil(teacher, student, *data, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
    distiller.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"])
    history = distiller.fit(*data, verbose=0, **kwargs)
    return student.get_weights(), history.history


def restored(model, weights):
    model.set_weights(weights)
    return model


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 32

    def __getitem__(self, number):
        rows = slice(32 * number, 32 * number + 32)
        return self.x[rows], self.y[rows]


def generator(x, y):
    for start in range(0, len(x), 32):
        yield x[start : start + 32], y[start : start + 32]


def test_every_container_gives_the_same_student(teacher, student, arrays):
    x, y = arrays
    start = student.get_weights()
    expected, history = distil(teacher, student, x, y, shuffle=False)
    assert len(history["accuracy"]) == 1
    for data in (
        (tf.data.Dataset.from_tensor_slices((x, y)).batch(32),),
        (Batches(x, y),),
        (generator(x, y),),
        (tf.convert_to_tensor(x), tf.convert_to_tensor(y)),
    ):
        weights, _ = distil(teacher, restored(student, start), *data, shuffle=False)
        for a, b in zip(weights, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_integer_column_and_one_hot_labels_give_the_same_student(
    teacher, student, arrays
):
    x, y = arrays
    start = student.get_weights()
    expected, _ = distil(teacher, student, x, y, shuffle=False)
    for labels in (y[:, None], np.eye(10)[y], np.eye(10, dtype="float32")[y]):
        weights, _ = distil(teacher, restored(student, start), x, labels, shuffle=False)
        for a, b in zip(weights, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_multi_hot_labels_use_sigmoids_throughout(make_model, arrays):
    x, y = arrays
    labels = np.eye(10)[y] + np.eye(10)[(y + 3) % 10]
    teacher, student = make_model(16, "sigmoid"), make_model(4, "sigmoid")
    distiller = keras_kd.Distiller(teacher, student, alpha=1.0)
    distiller.compile("sgd")
    logs = distiller.evaluate(x, labels, return_dict=True, verbose=0)
    p = student.predict(x, verbose=0).astype("float64")
    expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
    assert logs["student_loss"] == pytest.approx(expected, rel=1e-4)
    assert "multi_label_loss" in logs
    distiller.fit(x, labels, verbose=0)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_unit_is_a_yes_or_no(arrays, activation):
    x, y = arrays[0], (arrays[1] > 4).astype("int32")

    def model():
        head = layers.Dense(1, activation=activation)
        return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), head])

    teacher, student = model(), model()
    distiller = keras_kd.Distiller(teacher, student, temperature=2.0)
    distiller.compile("sgd")
    logs = distiller.evaluate(x, y, return_dict=True, verbose=0)
    z_t, z_s = (distiller.teacher(x).logits, distiller.student_outputs(x).logits)
    p, q = expit(np.asarray(z_t, "float64") / 2), expit(np.asarray(z_s, "float64") / 2)
    soft = 4 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
    assert logs["multi_label_loss"] == pytest.approx(soft, rel=1e-4)
    hard = np.log1p(np.exp(-np.where(y, 1, -1) * np.asarray(z_s)[:, 0])).mean()
    assert logs["student_loss"] == pytest.approx(hard, rel=1e-4)
    distiller.fit(x, y, verbose=0)


def test_validation_data_and_split_and_callbacks_work(teacher, student, arrays):
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(sorted(logs))
    )
    _, history = distil(
        teacher, student, *arrays, validation_split=0.25, epochs=2, callbacks=[callback]
    )
    assert seen[0] == sorted(history)
    assert {"val_loss", "val_soft_target_loss", "val_accuracy"} <= set(history)


def test_metrics_are_reset_between_epochs(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.0))
    history = distiller.fit(*arrays, epochs=3, shuffle=False, verbose=0).history
    assert history["soft_target_loss"] == pytest.approx(
        [history["soft_target_loss"][0]] * 3, rel=1e-5
    )


def test_ragged_last_batch_counts_by_its_examples(teacher, student, arrays):
    x, y = arrays[0][:50], arrays[1][:50]
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("sgd")
    whole = distiller.evaluate(x, y, batch_size=50, return_dict=True, verbose=0)
    pieces = distiller.evaluate(x, y, batch_size=32, return_dict=True, verbose=0)
    assert pieces == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
def test_subclassed_student_is_built_on_the_first_batch(teacher, arrays):
    @keras.saving.register_keras_serializable("tests")
    class Small(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.flatten = layers.Flatten()
            self.hidden = layers.Dense(8, name="hidden")
            self.head = layers.Dense(10, name="head")

        def call(self, inputs):
            return self.head(self.hidden(self.flatten(inputs)))

    for fit in ("fit", "train_on_batch"):
        distiller = keras_kd.Distiller(teacher, Small())
        distiller.compile("adam")
        getattr(distiller, fit)(*arrays)
        assert len(distiller.trainable_variables) == 4


def test_predict_is_the_students(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("sgd")
    np.testing.assert_array_equal(
        distiller.predict(arrays[0], verbose=0), student.predict(arrays[0], verbose=0)
    )


def test_two_replicas_take_the_step_of_one(make_model, teacher, arrays, two_replicas):
    assert two_replicas.num_replicas_in_sync == 2
    start = make_model(6, regularizer="l2").get_weights()
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            student = restored(make_model(6, regularizer="l2"), start)
            losses = [keras_kd.losses.SoftTargetDistillation(2.0)]
            distiller = keras_kd.Distiller(teacher, student, losses, alpha=0.5)
            distiller.compile(keras.optimizers.SGD(0.1))
        logs = distiller.fit(
            *arrays, batch_size=64, shuffle=False, verbose=0, epochs=2
        ).history
        results.append((student.get_weights(), logs))
    (one, one_logs), (two, two_logs) = results
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert two_logs["loss"] == pytest.approx(one_logs["loss"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_student_learns_from_a_float32_teacher(
    teacher, make_model, arrays, policy
):
    keras.config.set_dtype_policy(policy)
    try:
        student = make_model(16)
    finally:
        keras.config.set_dtype_policy("float32")
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.Adam(0.01))
    is_scaled = isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == (policy == "mixed_float16")
    history = distiller.fit(*arrays, epochs=4, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]


@pytest.mark.slow
def test_float32_student_learns_from_a_mixed_precision_teacher(
    teacher, make_model, arrays
):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        narrow = make_model(32)
    finally:
        keras.config.set_dtype_policy("float32")
    narrow.set_weights(teacher.get_weights())
    logged = []
    for model in (teacher, narrow):
        keras.utils.set_random_seed(0)
        distiller = keras_kd.Distiller(model, make_model(8))
        distiller.compile(keras.optimizers.Adam(0.01))
        history = distiller.fit(*arrays, epochs=2, shuffle=False, verbose=0).history
        logged.append(history["loss"])
    # bfloat16 keeps 8 bits of each number.
    np.testing.assert_allclose(*logged, rtol=0.05)
