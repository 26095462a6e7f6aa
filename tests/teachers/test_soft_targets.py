"""Stored soft targets in the place of the teacher: joined safely, equal in training."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.data import Examples, Split, random_crop
from keras_kd.losses import (
    HintDistillation,
    LogitRegressionDistillation,
    MultiLabelDistillation,
    SoftTargetDistillation,
)
from keras_kd.outputs import ModelOutputs
from keras_kd.teachers import FrozenTeacher, SoftTargets, label

VIEW = random_crop(1)


@pytest.fixture(scope="module")
def data(digits):
    """320 digits as a `Split`."""
    return Split(digits.train.examples.take(320), 320)


@pytest.fixture(scope="module")
def big(digits):
    """A teacher that knows something."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    stack = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack])
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(digits.train.batches(32), epochs=5, verbose=0)
    return model


@pytest.fixture(scope="module")
def soft(big, data, tmp_path_factory):
    """All logits in float32, in five shards of which the last is not full."""
    folder = tmp_path_factory.mktemp("soft")
    return label(big, data, folder, dtype="float32", batch_size=32, shard_size=64)


@pytest.fixture(scope="module")
def viewed(big, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewed")
    return label(big, data, folder, dtype="float32", views=3, augment=VIEW)


def weights_after(teacher, student, batches, *, losses=None, epochs=2):
    """What training gives from the same start."""
    student = keras.models.clone_model(student)
    start = np.random.default_rng(0)
    student.set_weights([start.normal(0, 0.1, w.shape) for w in student.get_weights()])
    distiller = keras_kd.Distiller(teacher, student, losses, alpha=0.2)
    distiller.compile(keras.optimizers.SGD(0.05))
    distiller.fit(batches, epochs=epochs, verbose=0)
    return student.get_weights()


def assert_same(ours, theirs, tolerance=1e-5):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_student_learns_what_it_would_learn_from_the_teacher(soft, big, data, student):
    losses = lambda: [SoftTargetDistillation(3.0), LogitRegressionDistillation()]  # noqa: E731
    stored = weights_after(soft, student, soft.attach(data), losses=losses())
    live = weights_after(big, student, data.batches(32), losses=losses())
    assert_same(stored, live)


@pytest.mark.slow
def test_student_learns_the_same_in_every_batch_size_of_the_store(
    soft, big, data, student, tmp_path
):
    other = label(big, data, tmp_path, dtype="float32", batch_size=7)
    assert_same(
        weights_after(soft, student, soft.attach(data, batch_size=50)),
        weights_after(other, student, other.attach(data, batch_size=50)),
    )


def test_top_k_loss_and_gradient_are_those_of_the_truncated_distribution(
    big, data, tmp_path
):
    soft = label(big, data, tmp_path, top_k=3, dtype="float32")
    x, _ = next(iter(soft.attach(data, batch_size=320)))
    z = big.predict(x.inputs, verbose=0).astype("float64")
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    for row in p:
        others = np.argsort(-row)[3:]
        row[others] = row[others].sum() / 7
    student_logits = np.random.default_rng(0).normal(size=(320, 10))
    q = np.exp(student_logits) / np.exp(student_logits).sum(axis=-1, keepdims=True)
    variable = tf.Variable(student_logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = SoftTargetDistillation(1.0)(soft.answer(x), ModelOutputs(variable))
    np.testing.assert_allclose(
        loss, (p * np.log(p / q)).sum(axis=-1), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(tape.gradient(loss, variable), q - p, atol=1e-6)


def test_shuffled_each_example_keeps_its_soft_target(soft, big, data):
    batches = soft.attach(data, batch_size=50, shuffle_seed=3)
    first, second = (
        [np.concatenate(parts) for parts in zip(*epoch, strict=True)]
        for epoch in (
            [(x.inputs, x.soft_targets, y) for x, y in batches] for _ in range(2)
        )
    )
    x, y = data.arrays()
    for inputs, targets, labels in (first, second):
        expected = big.predict(inputs, verbose=0)
        np.testing.assert_allclose(targets, expected, atol=1e-4)
        order = [int(np.flatnonzero((x == row).all((1, 2, 3)))[0]) for row in inputs]
        assert sorted(set(order)) == sorted(
            {int(np.flatnonzero((x == row).all((1, 2, 3)))[0]) for row in x}
        )
        np.testing.assert_array_equal(labels, y[order])
    assert (first[0] != second[0]).any()


@pytest.mark.slow
def test_one_pass_shows_each_view_of_each_example_once(viewed, big, data):
    batches = viewed.attach(data, augment=VIEW, batch_size=100, shuffle_seed=0)
    assert batches.cardinality() == 3 * 4
    seen = [x.inputs.numpy() for x, _ in batches]
    assert [len(batch) for batch in seen] == 3 * [100, 100, 100, 20]
    for number in range(3):
        order = viewed.attach(data, augment=VIEW, first_view=number, batch_size=320)
        view, _ = next(iter(order))
        ours = np.concatenate(seen[4 * number : 4 * number + 4])
        assert_same(
            np.sort(ours.reshape(320, -1), axis=0),
            np.sort(view.inputs.numpy().reshape(320, -1), axis=0),
        )
        np.testing.assert_allclose(
            view.soft_targets, big.predict(view.inputs, verbose=0), atol=1e-4
        )


@pytest.mark.slow
def test_each_view_has_an_order_of_its_own_which_the_seeds_repeat(viewed, data):
    def shown(passes):
        keras.utils.set_random_seed(0)
        batches = viewed.attach(data, augment=VIEW, batch_size=320, shuffle_seed=0)
        return [x.inputs.numpy() for _ in range(passes) for x, _ in batches]

    def sorted_rows(view):
        return np.sort(view.reshape(320, -1).sum(axis=1))

    once, twice = shown(1), shown(2)
    assert len(once) == 3
    np.testing.assert_array_equal(once, twice[:3])
    for first, second in zip(twice[:3], twice[3:], strict=True):
        assert (first != second).any()
        np.testing.assert_array_equal(sorted_rows(first), sorted_rows(second))


@pytest.mark.slow
def test_all_views_are_traced_at_once(big, data, tmp_path):
    """A folder of many views is attached as fast as one of a single view."""
    traced = []

    def shifted(image, seed):
        traced.append(seed)
        return tf.roll(image, seed % 3, (0, 1))

    calls = {}
    for views in (1, 5):
        soft = label(big, data, tmp_path / str(views), views=views, augment=shifted)
        traced.clear()
        for _ in soft.attach(data, augment=shifted, shuffle_seed=0):
            pass
        calls[views] = len(traced)
    assert calls[5] == calls[1]


@pytest.mark.slow
def test_an_epoch_can_be_one_view(viewed, data, student):
    """Of 3 views, 4 epochs of 4 steps see the first, second, third and first."""

    def trained(views, **options):
        model = keras.models.clone_model(student)
        model.set_weights(student.get_weights())
        distiller = keras_kd.Distiller(viewed, model)
        distiller.compile(keras.optimizers.SGD(0.05))
        for view in views:
            batches = viewed.attach(data, augment=VIEW, batch_size=100, first_view=view)
            batches = batches if options else batches.take(4)
            distiller.fit(batches, shuffle=False, verbose=0, **options)
        return model.get_weights()

    one_fit = trained([0], steps_per_epoch=4, epochs=4)
    assert_same(one_fit, trained([0, 1, 2, 0]))
    assert any((a != b).any() for a, b in zip(one_fit, trained([0] * 4), strict=True))


CHANGES = {
    "another order": (
        lambda examples: (
            examples.take(100)
            .concatenate(examples.skip(101).take(1))
            .concatenate(examples.skip(100).take(1))
            .concatenate(examples.skip(102))
        ),
        'another example, "{101}", as number 100',
    ),
    "one left out": (
        lambda examples: examples.take(63).concatenate(examples.skip(64)),
        'another example, "{64}", as number 63',
    ),
    "one twice": (
        lambda examples: examples.take(9).concatenate(examples.skip(8)),
        'another example, "{8}", as number 9',
    ),
    "longer": (
        lambda examples: examples.concatenate(examples.take(3)),
        '"{0}" (number 320) after the last one',
    ),
    "shorter": (
        lambda examples: examples.take(300),
        "no example number 300",
    ),
    "shorter by whole blocks": (
        lambda examples: examples.take(256),
        "no example number 256",
    ),
    "another pixel": (
        lambda examples: examples.enumerate().map(
            lambda n, e: {**e, "x": e["x"] + tf.where(n == 200, 1e-6, 0.0)}
        ),
        '"{200}" (number 200) with other content',
    ),
    "another id": (
        lambda examples: examples.enumerate().map(
            lambda n, e: {**e, "id": tf.where(n == 319, "new", e["id"])}
        ),
        'another example, "new", as number 319',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("hides_its_size", [False, True], ids=["", "size unknown"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_data_set_is_an_error_that_names_the_first_difference(
    soft, data, change, hides_its_size
):
    function, message = CHANGES[change]
    changed = function(data.examples)
    if hides_its_size:
        changed = changed.filter(lambda example: True)
    ids = data.ids()
    expected = re.sub(r"\{(\d+)\}", lambda match: ids[int(match[1])], message)
    with pytest.raises(ValueError, match=re.escape(expected)):
        soft.attach(changed)
    # Without the check in advance the same, wherever the data are read.
    errors = (ValueError, tf.errors.InvalidArgumentError)
    with pytest.raises(errors) as error:
        for _ in soft.attach(changed, check_first=False, shuffle_seed=0):
            pass
    assert expected in str(error.value).replace('\\"', '"')


def test_fit_on_changed_data_ends_with_the_name_of_the_example(soft, data, student):
    changed = CHANGES["one left out"][0](data.examples).filter(lambda example: True)
    distiller = keras_kd.Distiller(soft, student)
    distiller.compile("sgd")
    with pytest.raises(tf.errors.InvalidArgumentError, match=data.ids()[64]):
        distiller.fit(soft.attach(changed, check_first=False, batch_size=8), verbose=0)


def test_content_that_another_machine_rounds_otherwise_can_be_let_pass(soft, data):
    near = data.examples.map(lambda e: {**e, "x": e["x"] + 1e-7})
    assert len(soft.attach(near, check_content=False)) == 10
    other = CHANGES["another order"][0](near)
    with pytest.raises(ValueError, match="another example"):
        soft.attach(other, check_content=False)


@pytest.mark.parametrize("augment", [None, random_crop(2), [VIEW, VIEW]])
def test_another_augmentation_is_refused(viewed, data, augment):
    with pytest.raises(ValueError, match=r"augment=\[random_crop\(1\)\], as at"):
        viewed.attach(data, augment=augment)


def test_another_augmentation_under_the_same_name_is_found(big, data, tmp_path):
    def make(size):
        def shifted(image, seed):
            return image + size * tf.random.stateless_uniform((), seed)

        return shifted

    soft = label(big, data, tmp_path, augment=make(0.1))
    assert len(soft.attach(data, augment=make(0.1))) == 10
    with pytest.raises(ValueError, match="with other content"):
        soft.attach(data, augment=make(0.2))


def test_labels_can_be_left_out(soft, big, data, student):
    batches = soft.attach(data, labels=False)
    distiller = keras_kd.Distiller(soft, student, alpha=0)
    distiller.compile("sgd")
    logs = distiller.fit(batches, verbose=0).history
    assert set(logs) == {"loss", "soft_target_loss"}


@pytest.mark.slow
def test_data_without_soft_targets_are_evaluated_and_not_trained_on(
    soft, data, student, digits
):
    distiller = keras_kd.Distiller(soft, student)
    distiller.compile("sgd", metrics=["accuracy"])
    logs = distiller.fit(
        soft.attach(data), validation_data=digits.test.batches(100), verbose=0
    ).history
    assert {"val_accuracy", "val_student_loss"} <= set(logs)
    assert "val_soft_target_loss" not in logs
    assert "soft_target_loss" in distiller.evaluate(
        soft.attach(data), return_dict=True, verbose=0
    )
    x, y = data.arrays()
    for train in (
        lambda: distiller.fit(data.batches(32), verbose=0),
        lambda: distiller.fit(x, y, verbose=0),
        lambda: distiller.train_on_batch(x, y),
    ):
        with pytest.raises(ValueError, match=re.escape("Train on soft.attach")):
            train()


def test_soft_targets_of_other_classes_are_refused(soft, data, student):
    with pytest.raises(ValueError, match="same number of classes"):
        keras_kd.Distiller(
            soft,
            keras.Sequential(
                [
                    keras.Input((8, 8, 1)),
                    *(keras.layers.Flatten(), keras.layers.Dense(9)),
                ]
            ),
        )
    distiller = keras_kd.Distiller(soft, student)
    distiller.compile("sgd")
    x, y = data.arrays()
    with pytest.raises(ValueError, match=r"soft targets of shape \(batch, 10\)"):
        distiller.fit(Examples(x, soft_targets=np.zeros((320, 9))), y)


def test_losses_on_layers_of_the_teacher_are_refused(soft, student):
    with pytest.raises(ValueError, match="losses on logits alone"):
        keras_kd.Distiller(soft, student, HintDistillation("hidden", "hidden"))


def test_sigmoid_head_is_distilled_label_by_label(make_model, data, tmp_path):
    teacher = make_model(8, "sigmoid")
    soft = label(teacher, data, tmp_path, dtype="float32")
    student = make_model(6, "sigmoid")
    (loss,) = keras_kd.Distiller(soft, student).distillation_losses
    assert isinstance(loss, MultiLabelDistillation)
    with pytest.raises(ValueError, match="the same kind of head"):
        keras_kd.Distiller(soft, make_model(6, "softmax"))
    x, _ = next(iter(soft.attach(data, batch_size=320)))
    np.testing.assert_allclose(
        1 / (1 + np.exp(-x.soft_targets)),
        teacher.predict(x.inputs, verbose=0),
        atol=1e-5,
    )


@pytest.mark.slow
def test_mean_of_an_ensemble_serves_its_temperature_only(
    big, make_model, data, student, tmp_path
):
    members = [big, make_model(16)]
    soft = label(members, data, tmp_path, temperature=4.0, dtype="float32")
    live = weights_after(members, student, data.batches(32))
    assert_same(weights_after(soft, student, soft.attach(data)), live)
    with pytest.raises(ValueError, match="Pass temperature=4 to the loss"):
        weights_after(
            soft, student, soft.attach(data), losses=[SoftTargetDistillation(2.0)]
        )


@pytest.mark.slow
def test_reloaded_distiller_accepts_soft_targets_of_the_same_teacher(
    soft, big, data, student, make_model, digits, tmp_path
):
    distiller = keras_kd.Distiller(soft, student)
    distiller.compile("sgd")
    distiller.fit(soft.attach(data), verbose=0)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    loaded.attach_teacher(SoftTargets(soft.path))
    loaded.fit(soft.attach(data), verbose=0)
    # Of other data too, but not of another precision or another teacher.
    for name, teacher, options, message in (
        ("data", big, {"dtype": "float32"}, None),
        ("precision", big, {"dtype": "float16"}, "fingerprint"),
        ("top_k", big, {"dtype": "float32", "top_k": 4}, "fingerprint"),
        ("teacher", make_model(8), {"dtype": "float32"}, "fingerprint"),
    ):
        other = label(teacher, digits.validation, tmp_path / name, **options)
        loaded = keras.models.load_model(tmp_path / "d.keras")
        if message is None:
            loaded.attach_teacher(other)
            continue
        with pytest.raises(ValueError, match=message):
            loaded.attach_teacher(other)
    assert soft.plan.teacher == FrozenTeacher(big).fingerprint


@pytest.mark.slow
def test_two_replicas_train_like_one(viewed, data, student, two_replicas):
    def trained():
        keras.utils.set_random_seed(0)
        model = keras.models.clone_model(student)
        distiller = keras_kd.Distiller(viewed, model)
        distiller.compile(keras.optimizers.SGD(0.05))
        batches = viewed.attach(data, augment=VIEW, batch_size=64)
        distiller.fit(batches, verbose=0)
        return model.get_weights()

    one = trained()
    with two_replicas.scope():
        two = trained()
    assert_same(one, two, 1e-4)


@pytest.mark.slow
def test_compiled_with_xla_it_trains_the_same(soft, data, student):
    def trained(jit_compile):
        keras.utils.set_random_seed(0)
        model = keras.models.clone_model(student)
        distiller = keras_kd.Distiller(soft, model)
        distiller.compile(keras.optimizers.SGD(0.05), jit_compile=jit_compile)
        distiller.fit(soft.attach(data), verbose=0)
        return model.get_weights()

    assert_same(trained(True), trained(False))


def test_options_out_of_range_are_refused(soft, data):
    for options, message in (
        ({"batch_size": 0}, "`batch_size` to be an int of at least 1"),
        ({"first_view": -1}, "`first_view` to be an int of at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            soft.attach(data, **options)
    unlabelled = data.examples.map(lambda e: {"id": e["id"], "x": e["x"]})
    with pytest.raises(ValueError, match="'id', 'x', 'y'"):
        soft.attach(unlabelled)
    assert len(soft.attach(unlabelled, labels=False)) == 10
