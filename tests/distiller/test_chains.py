"""Teacher chains: through assistants, and over generations."""

import itertools
import json
import shutil

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.distiller import born_again, distill_through_assistants

EPOCHS = 2


def make_model(units=6):
    hidden = layers.Dense(units, activation="relu", name="hidden")
    stack = [layers.Flatten(), hidden, layers.Dense(10), layers.Activation("linear")]
    return keras.Sequential([keras.Input((8, 8, 1)), *stack])


def make_distiller(teacher, student, *, alpha=0.3, rate=0.01, temperature=2.0):
    distiller = keras_kd.Distiller(
        teacher, student, alpha=alpha, temperature=temperature
    )
    distiller.compile(keras.optimizers.Adam(rate), metrics=["accuracy"])
    return distiller


def clone(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def assert_same(models, others, tolerance=1e-6):
    for one, other in zip(models, others, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


class Counter(keras.callbacks.Callback):
    """Counts epochs; may stop the program at one."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.epochs, self.stop_at = 0, stop_at

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        if self.epochs == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture
def models(teacher):
    return [teacher, make_model(12), make_model(6)]


@pytest.fixture
def options(tmp_path):
    return {
        "folder": tmp_path / "chain",
        "make_distiller": make_distiller,
        "epochs": EPOCHS,
        "batch_size": 64,
        "shuffle": False,
        "verbose": 0,
    }


def through(models, data, options, **others):
    teacher, *assistants, student = models
    return distill_through_assistants(
        teacher, assistants, student, *data, **{**options, **others}
    )


def test_rounds_equal_distillers_that_are_fitted_in_turn(models, arrays, options):
    by_hand = [models[0], *map(clone, models[1:])]
    before = models[0].get_weights()
    histories = []
    for teacher, student in itertools.pairwise(by_hand):
        distiller = make_distiller(teacher, student)
        fit = {"epochs": EPOCHS, "batch_size": 64, "shuffle": False, "verbose": 0}
        histories.append(distiller.fit(*arrays, **fit).history)
    chain = through(models, arrays, options)
    assert chain.models == tuple(models[1:])
    assert chain.student is models[-1]
    assert_same(chain.models, by_hand[1:])
    for ours, theirs in zip(chain.histories, histories, strict=True):
        assert set(ours) == set(theirs)
        for name in ours:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5)
    assert json.loads(json.dumps(chain.histories)) == list(chain.histories)
    for a, b in zip(before, models[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_finished_rounds_are_read_and_not_trained(models, arrays, options):
    first = through(models, arrays, options)
    written = {p: p.stat().st_mtime_ns for p in options["folder"].rglob("*")}
    counter = Counter()
    again = [models[0], make_model(12), make_model(6)]
    second = through(again, arrays, options, callbacks=[counter])
    assert counter.epochs == 0
    assert_same(first.models, second.models, 0)
    assert second.histories == first.histories
    assert {p: p.stat().st_mtime_ns for p in options["folder"].rglob("*")} == written


@pytest.mark.slow
def test_stopped_chain_goes_on_after_its_last_whole_epoch(
    models, arrays, options, tmp_path
):
    copies = [models[0], *map(clone, models[1:])]
    whole = through(copies, arrays, {**options, "folder": tmp_path / "whole"})
    start = [models[0], *map(clone, models[1:])]
    with pytest.raises(KeyboardInterrupt):
        through(models, arrays, options, callbacks=[Counter(EPOCHS + 2)])
    counter = Counter()
    chain = through(start, arrays, options, callbacks=[counter])
    assert counter.epochs == 1  # of four, two of the first round, one of the second
    assert_same(chain.models, whole.models)
    for ours, theirs in zip(chain.histories, whole.histories, strict=True):
        assert {name: len(values) for name, values in ours.items()} == {
            name: EPOCHS for name in theirs
        }
        for name in theirs:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5)


@pytest.mark.slow
def test_starting_weights_are_no_setting(models, arrays, options):
    with pytest.raises(KeyboardInterrupt):
        through(models, arrays, options, callbacks=[Counter(EPOCHS + 2)])
    others = [models[0], make_model(12), make_model(6)]
    counter = Counter()
    through(others, arrays, options, callbacks=[counter])
    assert counter.epochs == 1
    assert_same([models[1]], [others[1]])


CHANGES = [
    ({"epochs": 3}, "epochs=2"),
    ({"monitor": "accuracy"}, "monitor=None"),
    ({"batch_size": 32}, "batch_size=64"),
    ({"make_distiller": lambda t, s: make_distiller(t, s, alpha=0.4)}, "alpha=0.3"),
    ({"make_distiller": lambda t, s: make_distiller(t, s, rate=0.02)}, "optimizer"),
    (
        {"make_distiller": lambda t, s: make_distiller(t, s, temperature=3.0)},
        "distillation_losses",
    ),
    ({"validation_data": (np.zeros((2, 8, 8, 1)), np.zeros(2))}, "validation_data"),
]


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, EPOCHS + 1], ids=["running", "finished"])
def test_other_settings_are_refused(models, arrays, options, stop_at):
    with pytest.raises(KeyboardInterrupt):
        through(models, arrays, options, callbacks=[Counter(stop_at + 1)])
    for change, named in CHANGES:
        with pytest.raises(ValueError, match=rf"{named}.*choose another folder"):
            through(models, arrays, options, **change)


@pytest.mark.slow
def test_other_models_and_data_are_refused(models, arrays, options):
    through(models, arrays, options)
    x, y = arrays
    changed = x.copy()
    changed[-1, 0, 0, 0] += 1
    wider = [models[0], make_model(13), models[2]]
    for others, data, named in (
        ([make_model(9), *models[1:]], (x, y), "teacher"),
        (wider, (x, y), "student"),
        (models, (changed, y), "x="),
    ):
        with pytest.raises(ValueError, match=f"{named}.*choose another folder"):
            through(others, data, options)


@pytest.mark.slow
def test_another_assistant_makes_the_next_round_another(models, arrays, options):
    """Its settings are the same, but not its teacher."""
    through(models, arrays, options)
    shutil.rmtree(options["folder"] / "1-assistant")
    models[1].get_layer("hidden").bias.assign(np.ones(12))
    with pytest.raises(ValueError, match=r"2-student: teacher=.*another folder"):
        through(models, arrays, options)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flipped", "truncated", "swapped"])
def test_damaged_file_of_a_finished_round_is_found(models, arrays, options, damage):
    through(models, arrays, options)
    path = options["folder"] / "1-assistant" / "finished" / "student.weights.h5"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        kernel = models[1].get_layer("hidden").kernel.numpy().tobytes()
        data[data.index(kernel) + 2] ^= 1
    elif damage == "truncated":
        data = data[: len(data) // 2]
    else:
        other = make_model(12)
        other.save_weights(path)
        data = path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(ValueError, match="changed or damaged: remove"):
        through(models, arrays, options)


@pytest.mark.slow
def test_best_epoch_of_the_monitor_is_handed_on(models, arrays, options):
    class Biases(keras.callbacks.Callback):
        """Leaves its mark on every epoch, and says that the second is the best."""

        def on_epoch_end(self, epoch, logs=None):
            self.model.student.layers[-2].bias.assign(np.full(10, float(epoch)))
            logs["score"] = float(-abs(epoch - 1))

    options = {**options, "epochs": 4, "callbacks": [Biases()]}
    chain = through(models, arrays, options, monitor="score")
    for model in chain.models:
        np.testing.assert_array_equal(model.layers[-2].bias, np.ones(10))
    assert [len(history["loss"]) for history in chain.histories] == [4, 4]


@pytest.mark.slow
def test_generation_after_generation(arrays, options):
    """The first from labels alone, like `fit` of the student; each teaches the next."""
    keras.utils.set_random_seed(5)
    three = born_again(None, make_model, 3, *arrays, **options)
    keras.utils.set_random_seed(5)
    by_hand = [make_model() for _ in range(3)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    by_hand[0].compile(keras.optimizers.Adam(0.01), loss)
    fit = {"epochs": EPOCHS, "batch_size": 64, "shuffle": False, "verbose": 0}
    by_hand[0].fit(*arrays, **fit)
    for teacher, student in itertools.pairwise(by_hand):
        make_distiller(teacher, student).fit(*arrays, **fit)
    assert_same(three.models, by_hand, 1e-5)


@pytest.mark.slow
def test_more_generations_are_added(teacher, arrays, options):
    two = born_again(teacher, make_model, 2, *arrays, **options)
    counter = Counter()
    three = born_again(teacher, make_model, 3, *arrays, callbacks=[counter], **options)
    assert counter.epochs == EPOCHS
    assert_same(two.models, three.models[:2], 0)


@pytest.mark.slow
def test_generations_teach_as_an_ensemble(teacher, arrays, options):
    chain = born_again(teacher, make_model, 2, *arrays, **options)
    distiller = make_distiller(list(chain.models), make_model())
    history = distiller.fit(*arrays, verbose=0).history
    assert np.isfinite(history["soft_target_loss"]).all()


@pytest.mark.slow
def test_unlabelled_data_and_data_sets_are_taken(models, arrays, options):
    import tensorflow as tf

    def unlabelled(teacher, student):
        return make_distiller(teacher, student, alpha=0)

    data = tf.data.Dataset.from_tensor_slices(arrays[0]).batch(64)
    del options["batch_size"]
    for _ in range(2):
        chain = through(models, (data,), options, make_distiller=unlabelled)
        assert set(chain.histories[0]) == {"loss", "soft_target_loss"}


@pytest.mark.slow
def test_student_that_diverges_is_an_error_and_no_finished_round(
    models, arrays, options
):
    class Diverge(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.student.layers[-2].bias.assign(np.full(10, np.nan))

    with pytest.raises(ValueError, match="finite weights in the student after"):
        through(models, arrays, options, callbacks=[Diverge()])
    assert not list(options["folder"].glob("*/finished"))
