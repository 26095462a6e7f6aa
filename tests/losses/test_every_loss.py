"""What holds for every distillation loss."""

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd import losses
from keras_kd.data import Examples
from tests.losses.every_loss import (
    CLASSIFIERS,
    EVERY_LOSS,
    REPRESENTATIVES,
    small_network,
)

NAMES = sorted(CLASSIFIERS)
STEPS = 12
# Its weights grow where the student is worse than the teacher, and carry no gradient:
# the value need not fall while the student learns.
REWEIGHTED = "WeightedSoftLabelDistillation"
# XLA draws other random numbers than TensorFlow from the same seed.
RANDOM = {"ContrastiveDistillation", "MaskedGenerativeDistillation"}


def distiller_for(name, teacher, student, **kwargs):
    # Its published weight aside, so that one learning rate suits all.
    distiller = keras_kd.Distiller(
        teacher,
        student,
        CLASSIFIERS[name](),
        [1.0],
        alpha=0,
        from_logits=True,
    )
    distiller.compile(keras.optimizers.Adam(0.003), **kwargs)
    return distiller


def divergence(teacher, student, x):
    values = losses.soft_target_divergence(teacher(x), student(x), temperature=2.0)
    return float(np.mean(values))


def labels_for(name, y):
    return np.eye(10)[y] if name == "MultiLabelDistillation" else y


@pytest.fixture(scope="module")
def models(digits):
    """A teacher that knows something, and where every student starts."""
    keras.utils.set_random_seed(0)
    x, y = digits.train.arrays()
    teacher, student = small_network(), small_network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.Adam(0.01), loss)
    teacher.fit(x, y, epochs=5, verbose=0)
    numbered = Examples(x[:64], np.arange(64))
    return teacher, student.get_weights(), numbered, y[:64]


def new_student(weights):
    student = small_network()
    student.set_weights(weights)
    return student


def test_the_list_is_complete():
    public = {name for name in losses.__all__ if name.endswith("Distillation")}
    assert public == set(EVERY_LOSS)


@pytest.mark.parametrize("name", sorted(EVERY_LOSS))
def test_config_round_trips(name):
    loss = EVERY_LOSS[name]()
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()


def train(distiller, x, y, steps):
    """Each value of the loss, before each of some steps on the same batch."""
    logs = [distiller.train_on_batch(x, y, return_dict=True) for _ in range(steps)]
    (loss,) = distiller.objective.losses
    return [log[f"{loss.name}_loss"] for log in logs]


# Eager here, where each loss would need a graph of its own; in graphs, all of them
# together below, and each by XLA.
@pytest.mark.quick_for(*REPRESENTATIVES)
@pytest.mark.parametrize("name", NAMES)
def test_training_reduces_the_loss_and_leaves_the_student_alone(name, models):
    teacher, weights, x, y = models
    student = new_student(weights)
    parameters = student.count_params()
    distiller = distiller_for(name, teacher, student, run_eagerly=True)
    # The means of a batch that `train_on_batch` gives are over all steps so far.
    means = train(distiller, x, labels_for(name, y), STEPS)
    (loss,) = distiller.objective.losses
    assert np.isfinite(means).all()
    if name == REWEIGHTED:
        before, after = (
            divergence(teacher, model, x.inputs)
            for model in (new_student(weights), student)
        )
        assert after < before
    else:
        assert means[-1] < means[0]
    assert student.count_params() == parameters
    own = {id(weight) for weight in loss.trainable_weights}
    assert own <= {id(weight) for weight in distiller.trainable_weights}
    assert not own & {id(weight) for weight in student.weights}


@pytest.mark.quick_for(
    "ContrastiveDistillation",
    "CurriculumTemperatureDistillation",
    "HintDistillation",
    "MaskedGenerativeDistillation",
    "OverhaulDistillation",
    "SoftTargetDistillation",
)
@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_distiller_goes_on_exactly(name, models, tmp_path):
    teacher, weights, x, y = models
    y = labels_for(name, y)
    distiller = distiller_for(name, teacher, new_student(weights), run_eagerly=True)
    train(distiller, x, y, 2)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    loaded.attach_teacher(teacher)
    loaded.run_eagerly = True
    for ours, theirs in zip(distiller.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for model in (distiller, loaded):
        train(model, x, y, 2)
    for ours, theirs in zip(distiller.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_all_losses_take_the_same_steps_in_one_graph_as_eagerly(models):
    teacher, weights, x, y = models
    names = sorted(set(NAMES) - RANDOM - {"MultiLabelDistillation"})
    logs = []
    for run_eagerly in (True, False):
        keras.utils.set_random_seed(0)
        distiller = keras_kd.Distiller(
            teacher,
            new_student(weights),
            [CLASSIFIERS[name]() for name in names],
            [1e-3] * len(names),
            alpha=0.5,
            from_logits=True,
        )
        distiller.compile(keras.optimizers.SGD(0.01), run_eagerly=run_eagerly)
        history = distiller.fit(x, y, batch_size=64, epochs=3, shuffle=False, verbose=0)
        logs.append(history.history)
    eager, graph = logs
    assert len(eager) == len(names) + 2
    for key, values in eager.items():
        np.testing.assert_allclose(graph[key], values, rtol=2e-3, err_msg=key)


@pytest.mark.release
@pytest.mark.parametrize("name", NAMES)
def test_compiled_by_xla_it_takes_the_same_steps(name, models):
    teacher, weights, x, y = models
    y = labels_for(name, y)
    values = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        distiller = distiller_for(
            name, teacher, new_student(weights), jit_compile=jit_compile
        )
        values.append(distiller.train_on_batch(x, y, return_dict=True)["loss"])
    tolerance = 0.05 if name in RANDOM else 1e-3
    assert values[1] == pytest.approx(values[0], rel=tolerance, abs=1e-6)


@pytest.mark.slow
def test_several_losses_train_at_once(models):
    teacher, weights, x, y = models
    chosen = [
        losses.SoftTargetDistillation(),
        losses.AttentionDistillation("block_1", "block_1"),
        losses.HintDistillation("block_2", "block_2"),
        losses.RelationalDistillation("pooled", "pooled"),
    ]
    distiller = keras_kd.Distiller(
        teacher, new_student(weights), chosen, alpha=0.5, from_logits=True
    )
    assert distiller.objective.weights == [1.0, 1000.0, 100.0, 1.0]
    distiller.compile(keras.optimizers.Adam(0.001))
    history = distiller.fit(x, y, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    for key in ("soft_target_loss", "attention_loss", "hint_loss", "relational_loss"):
        assert np.isfinite(history[key]).all()
