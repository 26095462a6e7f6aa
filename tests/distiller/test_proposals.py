"""An error about shapes proposes layers, and with them the distiller trains."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd import losses
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.outputs import Head, ModelOutputs, layer_paths
from keras_kd.teachers import Teacher

X = np.random.default_rng(0).normal(size=(8, 16, 16, 1)).astype("float32")
Y = np.arange(8)


def stack(width=4):
    """Maps of 16, 8 and 4 rows, of `width`, twice and thrice as many channels."""
    parts = []
    for block in (1, 2, 3):
        strides = 1 if block == 1 else 2
        conv = layers.Conv2D(
            width * block, 3, strides, padding="same", name=f"conv_{block}"
        )
        parts += [conv, layers.ReLU(name=f"block_{block}")]
    return [*parts, layers.Dropout(0.5, name="dropout")]


def head():
    return [layers.GlobalAveragePooling2D(name="pool"), layers.Dense(10, name="logits")]


def sequential(width=4, size=16):
    return keras.Sequential([keras.Input((size, size, 1)), *stack(width), *head()])


def functional(width=4):
    inputs = x = keras.Input((16, 16, 1))
    for layer in [*stack(width), *head()]:
        x = layer(x)
    return keras.Model(inputs, x)


def nested(width=4):
    # Its image size is left open, and fixed by the outer model alone.
    body = [keras.Input((None, None, 1)), *stack(width)]
    backbone = keras.Sequential(body, name="backbone")
    return keras.Sequential([keras.Input((16, 16, 1)), backbone, *head()])


class Subclassed(keras.Model):
    def __init__(self, width=4):
        super().__init__()
        self.parts = [*stack(width), *head()]

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def refusal(teacher, student, loss, **kwargs):
    with pytest.raises(ValueError, match="expected") as raised:
        keras_kd.Distiller(teacher, student, loss, **kwargs)
    return str(raised.value)


def proposed(message):
    """A list of `(side, partner, paths)`, one for each sentence that proposes."""
    sentences = re.findall(
        r'(Student|Teacher) layers that fit "(.+?)": (.+?)\.', message
    )
    return [(*rest, re.findall('"(.+?)"', paths)) for *rest, paths in sentences]


def train(teacher, student, loss, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, loss, **kwargs)
    distiller.compile("sgd")
    history = distiller.fit(X, Y, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    own = {id(weight) for weight in loss.trainable_weights}
    assert own <= {id(weight) for weight in distiller.trainable_weights}


@pytest.mark.parametrize(
    ("make_student", "prefix"),
    [(functional, ""), (sequential, ""), (nested, "backbone/")],
)
def test_layers_of_the_same_stage_are_proposed_and_train(make_student, prefix):
    teacher = sequential(8)
    loss = losses.HintDistillation("block_1", f"{prefix}block_3")
    with pytest.raises(ValueError, match="HintDistillation") as own:
        loss.build(
            ModelOutputs((None, 10), {"block_1": (None, 16, 16, 8)}),
            ModelOutputs((None, 10), {f"{prefix}block_3": (None, 4, 4, 12)}),
        )
    assert refusal(teacher, make_student(), loss) == (
        f'{own.value} Student layers that fit "block_1": '
        f'"{prefix}block_1", "{prefix}conv_1".'
    )
    for path in (f"{prefix}block_1", f"{prefix}conv_1"):
        train(teacher, make_student(), losses.HintDistillation("block_1", path))


def test_a_subclassed_student_gets_proposals_from_build_and_before_the_first_step():
    teacher = sequential(8)

    def distiller(student_layer):
        loss = losses.ChannelDistillation("block_2", student_layer)
        result = keras_kd.Distiller(teacher, Subclassed(), loss, from_logits=True)
        result.compile("sgd")
        return result

    for start in (
        lambda: distiller("block_1").build((None, 16, 16, 1)),
        lambda: distiller("block_1").fit(X, Y, verbose=0),
    ):
        with pytest.raises(
            ValueError, match="Choose layers of the same stage"
        ) as error:
            start()
        assert proposed(str(error.value)) == [
            ("Student", "block_2", ["block_2", "conv_2"])
        ]
    trained = distiller("conv_2")
    trained.fit(X, Y, verbose=0)
    (loss,) = trained.objective.losses
    (projection,) = loss.trainable_weights
    assert projection.shape == (1, 1, 8, 16)
    assert any(projection is weight for weight in trained.trainable_weights)


def test_a_subclassed_teacher_and_its_preprocessing():
    teacher = Subclassed(8)
    teacher(np.zeros((1, 32, 32, 1), "float32"))

    def double(images):
        return tf.image.resize(images, (32, 32))

    kwargs = {"teacher_preprocessing": double, "from_logits": True}
    # After it, the teacher's second block has the size of the student's first.
    loss = losses.ChannelDistillation("block_2", "block_2")
    message = refusal(teacher, sequential(), loss, **kwargs)
    assert proposed(message) == [("Student", "block_2", ["block_1", "conv_1"])]
    train(
        teacher,
        sequential(),
        losses.ChannelDistillation("block_2", "conv_1"),
        **kwargs,
    )


def test_of_several_pairs_only_the_wrong_ones_are_spoken_of():
    teacher, paths = sequential(8), ["block_1", "block_2", "block_3"]
    chosen = ["block_1", "block_3", "block_3"]
    one = refusal(teacher, functional(), losses.ChannelDistillation(paths, chosen))
    assert proposed(one) == [("Student", "block_2", ["block_2", "conv_2"])]
    chosen = ["block_2", "block_2", "block_1"]
    two = refusal(teacher, functional(), losses.ChannelDistillation(paths, chosen))
    first, second = proposed(two)
    assert first == ("Student", "block_1", ["block_1", "conv_1"])
    assert second == ("Student", "block_3", ["block_3", "conv_3"])
    for chosen in (["block_1", "block_2", "block_3"], ["conv_1", "block_2", "conv_3"]):
        train(teacher, functional(), losses.ChannelDistillation(paths, chosen))


def test_pairs_are_proposed_that_fit_beside_the_others():
    """Products of two layers need one size, or squares: here (4, 8) and (2, 8)."""

    def wide(width):
        parts = [
            layers.Conv2D(width, 3, (4, 2), padding="same", name="a"),
            layers.Conv2D(width, 3, padding="same", name="b"),
            layers.Conv2D(width, 3, (2, 1), padding="same", name="c"),
        ]
        return keras.Sequential([keras.Input((16, 16, 1)), *parts, *head()])

    teacher = wide(4)
    loss = losses.FlowDistillation(["a", "b"], ["a", "c"])
    message = refusal(teacher, wide(4), loss)
    assert 'student layers "a" and "c" to give maps of one size' in message
    assert proposed(message) == [("Student", "b", ["b", "a"])]
    train(teacher, wide(4), losses.FlowDistillation(["a", "b"], ["a", "b"]))


def test_layers_of_the_teacher_are_proposed_where_none_of_the_student_fits():
    teacher = sequential(8)
    loss = losses.HintDistillation("pool", "block_2")
    message = refusal(teacher, functional(), loss)
    assert proposed(message) == [("Teacher", "block_2", ["block_2", "conv_2"])]
    train(teacher, functional(), losses.HintDistillation("block_2", "block_2"))


def test_pairs_are_proposed_where_both_layers_are_wrong():
    teacher = sequential(8)
    loss = losses.HintDistillation("pool", "pool")
    message = refusal(teacher, functional(), loss)
    assert message.endswith(
        "Layers of teacher and student that fit each other: "
        '"block_1" and "block_1", "block_2" and "block_2", "block_3" and "block_3".'
    )
    train(teacher, functional(), losses.HintDistillation("block_3", "block_3"))


def test_the_message_stays_as_it_is_where_nothing_fits():
    # 5, 10 and 15 channels against 7, 14 and 21.
    loss = losses.FlowDistillation(["block_1", "block_2"], ["block_1", "block_2"])
    message = refusal(sequential(5), functional(7), loss)
    assert message.endswith("Choose layers of equal width.")


def test_losses_of_keras_and_layers_beside_logits():
    feature = keras.distillation.FeatureDistillation
    teacher = sequential(4)
    message = refusal(teacher, functional(), feature("mse", "block_2", "block_1"))
    assert proposed(message) == [("Student", "block_2", ["block_2", "conv_2"])]
    message = refusal(teacher, functional(), feature("mse", "block_2"))
    assert message.endswith('Teacher layers that fit the student\'s logits: "logits".')


class WithoutLayers(Teacher):
    """Such as soft targets from a file."""

    head = Head("linear")
    fingerprint = "zeros"

    def __call__(self, inputs, *, layers=()):
        return ModelOutputs(keras.ops.zeros((keras.ops.shape(inputs)[0], 10)))

    def check_layers(self, paths):
        assert not paths

    def check(self, where, student):
        pass


def test_a_teacher_without_layers():
    loss = keras.distillation.FeatureDistillation("mse", None, "block_1")
    message = refusal(WithoutLayers(), functional(), loss)
    assert message.endswith('Student layers that fit the teacher\'s logits: "logits".')


class Picky(LayerPairLoss):
    """Wants equal shapes, of which it makes more weights than any machine holds."""

    builds = 0

    def build(self, teacher_shapes, student_shapes):
        type(self).builds += 1
        (pair,) = self.pairs(teacher_shapes.features, student_shapes.features)
        if pair[0] != pair[1]:
            raise self.pair_error(0, "the shape", *pair, "Choose another.")
        self.add_weight(shape=(2_000_000, 1_000_000), initializer="ones")

    def call(self, teacher, student, labels=None):
        return keras.ops.sum(student.logits, axis=-1)


class Uncopied(Picky):
    """Its config does not say how it was made."""

    def __init__(self, pair):
        super().__init__(*pair)

    def get_config(self):
        return {}


def test_each_combination_of_shapes_is_tried_once_and_takes_no_memory():
    Picky.builds = 0
    message = refusal(functional(), functional(), Picky("block_2", "pool"))
    assert proposed(message) == [("Student", "block_2", ["block_2", "conv_2"])]
    # For the user, to find the pair at fault, and for the nearest resolution.
    assert Picky.builds == 3


def test_a_loss_that_cannot_be_copied_keeps_its_message():
    message = refusal(functional(), functional(), Uncopied(("block_2", "pool")))
    assert message.endswith("Choose another.")


def test_loss_and_models_are_left_as_they_were():
    teacher, student = sequential(8), functional()
    before = [*teacher.get_weights(), *student.get_weights()]
    loss = losses.HintDistillation("block_1", "block_3")
    refusal(teacher, student, loss)
    assert (loss.teacher_layers, loss.student_layers) == (("block_1",), ("block_3",))
    assert not loss.built
    assert not loss.weights
    after = [*teacher.get_weights(), *student.get_weights()]
    for ours, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for model in (teacher, student):
        assert not any("call" in vars(layer) for layer in layer_paths(model).values())
