"""Numbers of a distiller set after training began: as if each step had been told."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.losses import DistillationLoss, SoftTargetDistillation

PLAIN = {"alpha": 0.1, "temperature": 4.0, "weight": 1.0}
# Of each epoch; the first is what the distiller is made with.
SETTINGS = {
    "alpha": (0.1, 0.75, 0.0),
    "temperature": (4.0, 1.0, 2.5),
    "weight": (1.0, 3.0, 0.0),
}


def set_number(distiller, name, value):
    if name == "weight":
        distiller.distillation_loss_weights = [value]
    else:
        setattr(distiller, name, value)


class PerEpoch(keras.callbacks.Callback):
    def __init__(self, name, values):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_begin(self, epoch, logs=None):
        set_number(self.model, self.name, self.values[epoch])


def trained_by_hand(teacher, student, arrays, settings):
    """Plain gradient descent on Hinton's loss, one epoch for each of `settings`."""
    x, y = map(tf.convert_to_tensor, arrays)
    for options in settings:
        alpha, temperature = options["alpha"], options["temperature"]
        target = tf.nn.softmax(teacher(x) / temperature)
        with tf.GradientTape() as tape:
            logits = student(x, training=True)
            hard = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            soft = keras.losses.kl_divergence(
                target, tf.nn.softmax(logits / temperature)
            )
            soft = options["weight"] * temperature**2 * soft
            loss = tf.reduce_mean(alpha * hard + (1 - alpha) * soft)
        weights = [v.value for v in student.trainable_variables]
        for v, gradient in zip(
            student.trainable_variables, tape.gradient(loss, weights), strict=True
        ):
            v.assign_sub(0.1 * gradient)
    return student.get_weights()


def count_traces(distiller):
    """A list that gets an entry each time the training step is traced."""
    traces, step = [], distiller.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    distiller.train_step = counted
    return traces


@pytest.mark.quick_for("alpha-False")
@pytest.mark.parametrize(
    ("name", "jit_compile"), [(name, False) for name in PLAIN] + [("temperature", True)]
)
def test_numbers_set_in_a_callback_hold_for_the_epoch_without_a_new_trace(
    name, jit_compile, teacher, student, arrays
):
    other = keras.models.clone_model(student)
    other.set_weights(student.get_weights())
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
    traces = count_traces(distiller)
    values = SETTINGS[name]
    distiller.fit(
        *arrays,
        epochs=3,
        batch_size=320,
        verbose=0,
        callbacks=[PerEpoch(name, values)],
    )
    assert sum(traces) <= 2  # Keras traces once more where it builds the model
    expected = trained_by_hand(
        teacher, other, arrays, [{**PLAIN, name: value} for value in values]
    )
    for a, b in zip(student.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_numbers_set_between_evaluations_are_in_the_next(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
    distiller.compile("sgd")
    distiller.evaluate(*arrays, verbose=0)
    distiller.alpha = 0.25
    distiller.distillation_loss_weights[0] = 3.0
    logs = distiller.evaluate(*arrays, verbose=0, return_dict=True)
    expected = 0.25 * logs["student_loss"] + 0.75 * 3.0 * logs["soft_target_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


class OwnLoss(DistillationLoss):
    """A user's loss, that reads `self.temperature` as NumPy code would."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def call(self, teacher, student, labels=None):
        return keras.ops.mean(
            keras.ops.square(teacher.logits - student.logits) / self.temperature, -1
        )


def test_the_temperature_of_a_users_own_loss_can_be_set(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student, OwnLoss(4.0))
    distiller.compile("sgd")
    before = distiller.evaluate(*arrays, verbose=0, return_dict=True)["own_loss_loss"]
    distiller.distillation_losses[0].temperature = 1.0
    after = distiller.evaluate(*arrays, verbose=0, return_dict=True)["own_loss_loss"]
    assert after == pytest.approx(4.0 * before, rel=1e-5)


def test_an_ensemble_is_averaged_at_the_temperature_that_was_set(
    teacher, make_model, student, arrays
):
    def soft_loss(temperature, *, later):
        loss = SoftTargetDistillation(9.0 if later else temperature)
        distiller = keras_kd.Distiller([teacher, other], student, loss)
        distiller.compile("sgd")
        distiller.evaluate(*arrays, verbose=0)
        loss.temperature = temperature
        logs = distiller.evaluate(*arrays, verbose=0, return_dict=True)
        return logs["soft_target_loss"]

    other = make_model(8)
    assert soft_loss(2.0, later=True) == pytest.approx(
        soft_loss(2.0, later=False), rel=1e-6
    )


@pytest.mark.slow
def test_numbers_of_students_that_learn_together_can_be_set(make_model, arrays):
    def logs_of(distiller):
        distiller.compile("sgd")
        return distiller.evaluate(*arrays, verbose=0, return_dict=True)

    students = [make_model(4), make_model(8)]
    mutual = keras_kd.MutualDistiller(students)
    logs_of(mutual)
    mutual.weight, mutual.temperature = 0.25, 3.0
    logs = mutual.evaluate(*arrays, verbose=0, return_dict=True)
    expected = logs_of(keras_kd.MutualDistiller(students, weight=0.25, temperature=3.0))
    assert logs == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_numbers_hold_on_all_replicas(two_replicas, make_model, arrays):
    def weights_after(scope):
        keras.utils.set_random_seed(3)
        with scope:
            distiller = keras_kd.Distiller(make_model(8), make_model(4))
            distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(
            *arrays,
            epochs=2,
            batch_size=320,
            shuffle=False,
            verbose=0,
            callbacks=[PerEpoch("alpha", (0.1, 0.9)), PerEpoch("temperature", (4, 2))],
        )
        return distiller.student.get_weights()

    alone = weights_after(tf.distribute.get_strategy().scope())
    for a, b in zip(weights_after(two_replicas.scope()), alone, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("way", ["model", "weights", "backup"])
def test_numbers_that_were_set_are_saved_and_restored(
    way, teacher, make_model, arrays, tmp_path
):
    def made():
        distiller = keras_kd.Distiller(teacher, make_model(4), alpha=0.1)
        distiller.compile("sgd")
        return distiller

    def numbers(distiller):
        weights = distiller.distillation_loss_weights
        return distiller.alpha, distiller.temperature, *weights

    distiller = made()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "b", delete_checkpoint=False)
    setting = [PerEpoch(name, (SETTINGS[name][1],)) for name in SETTINGS]
    distiller.fit(*arrays, verbose=0, callbacks=[*setting, backup])
    if way == "model":
        distiller.save(tmp_path / "d.keras")
        loaded = keras.models.load_model(tmp_path / "d.keras")
    elif way == "weights":
        distiller.save_weights(tmp_path / "d.weights.h5")
        loaded = made()
        loaded.load_weights(tmp_path / "d.weights.h5")
    else:
        loaded = made()
        loaded.fit(*arrays, verbose=0, callbacks=[backup])
    assert numbers(loaded) == numbers(distiller) == (0.75, 1.0, 3.0)


def test_weights_of_another_setting_leave_the_numbers_of_the_new_one(
    teacher, make_model, arrays, tmp_path
):
    first = keras_kd.Distiller(teacher, make_model(4), alpha=0.1)
    first.alpha = 0.2
    first.save_weights(tmp_path / "d.weights.h5")
    second = keras_kd.Distiller(teacher, make_model(4), alpha=0.5)
    second.load_weights(tmp_path / "d.weights.h5")
    assert second.alpha == 0.5


def test_labels_are_asked_for_when_alpha_rises_over_data_without_them(
    teacher, student, arrays
):
    distiller = keras_kd.Distiller(teacher, student, alpha=0)
    distiller.compile("sgd")
    distiller.fit(arrays[0], verbose=0)
    with pytest.raises(ValueError, match="alpha gives the hard labels a weight"):
        distiller.fit(
            arrays[0], epochs=2, verbose=0, callbacks=[PerEpoch("alpha", (0, 0.1))]
        )


SCHEDULE = keras.optimizers.schedules.CosineDecay(0.9, 10)


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("alpha", 2.0, r"`alpha` to be a number in \[0, 1\]"),
        ("alpha", SCHEDULE, "Pass a LearningRateSchedule when you make it"),
        ("temperature", 0.0, "`temperature` to be a number above 0"),
        ("distillation_loss_weights", [-1.0], "above 0"),
        ("distillation_loss_weights", [1.0, 2.0], "as a list of 1"),
        ("teacher", None, r"attach_teacher\(model\)"),
        ("teacher_preprocessing", None, r"attach_teacher\(model\)"),
        ("student", None, "Make a new Distiller"),
        ("distillation_losses", [SoftTargetDistillation(2.0)], "Make a new Distiller"),
        ("objective", None, "Set alpha"),
        ("teacher_agreement", True, "Make a new Distiller"),
        ("from_logits", True, "Make a new Distiller"),
    ],
)
def test_what_would_be_set_in_vain_is_an_error(name, value, fix, teacher, student):
    distiller = keras_kd.Distiller(teacher, student)
    with pytest.raises(ValueError, match=fix):
        setattr(distiller, name, value)


def test_other_settings_of_a_loss_cannot_be_set_once_training_began(
    teacher, student, arrays
):
    loss = keras_kd.losses.DecoupledDistillation(alpha=1.0, beta=8.0)
    loss.beta = 2.0  # in time
    distiller = keras_kd.Distiller(teacher, student, loss)
    distiller.compile("sgd")
    distiller.train_on_batch(arrays[0][:8], arrays[1][:8])
    with pytest.raises(ValueError, match=r"`beta` to stay .* Make a new loss with it"):
        loss.beta = 4.0
    assert loss.beta == 2.0


def test_temperatures_that_differ_are_set_one_by_one(teacher, student):
    losses = [SoftTargetDistillation(2.0), SoftTargetDistillation(4.0)]
    distiller = keras_kd.Distiller(teacher, student, losses)
    with pytest.raises(ValueError, match=r"distillation_losses\[0\].temperature = 2"):
        distiller.temperature = 3.0


@pytest.mark.slow
def test_the_temperature_of_stored_means_stays(
    teacher, make_model, student, digits, tmp_path
):
    members = [teacher, make_model(8)]
    data = digits.validation
    soft = keras_kd.teachers.label(members, data, tmp_path / "soft", temperature=2.0)
    distiller = keras_kd.Distiller(soft, student, temperature=2.0)
    distiller.compile("sgd")
    distiller.fit(soft.attach(data), verbose=0)
    with pytest.raises(
        ValueError, match=r"`temperature` to stay 2\.0.*label once more"
    ):
        distiller.temperature = 4.0
