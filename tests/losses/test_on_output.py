"""A loss on one of several outputs: it sees that output, its labels and its mask."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_kd.losses import (
    DecoupledDistillation,
    HintDistillation,
    OnOutput,
    SoftTargetDistillation,
)
from keras_kd.outputs import ModelOutputs


def random_outputs(seed):
    """Logits of two outputs, three classes each, and a feature."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, 4, 3)).astype("float32")
    feature = ops.array(generator.normal(size=(4, 5, 5, 2)).astype("float32"))
    return ModelOutputs(list(map(ops.array, logits)), {"conv": feature})


@pytest.mark.parametrize("number", [0, 1])
def test_logits_and_labels_are_those_of_the_output(number):
    teacher, student = random_outputs(0), random_outputs(1)
    labels = [ops.array([0, 1, 2, 0]), ops.array([2, 2, 1, 0])]
    expected = DecoupledDistillation()(
        ModelOutputs(teacher.logits[number]),
        ModelOutputs(student.logits[number]),
        labels[number],
    )
    found = OnOutput(DecoupledDistillation(), number)(teacher, student, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_is_weighted_named_and_scheduled_like_its_loss():
    inner = DecoupledDistillation()
    loss = OnOutput(inner, "colour")
    assert loss.name == "colour_decoupled"
    assert loss.published_weight == inner.published_weight
    assert loss.temperature == inner.temperature
    assert loss.at_step(7) is loss
    assert inner.iterations == 7


def test_layers_of_its_loss_reach_it_and_its_config_makes_an_equal_one():
    loss = OnOutput(HintDistillation("conv", "conv"), 1)
    assert loss.student_layers == ("conv",)
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert (again.output, again.name) == (1, "output_1_hint")
    assert np.isfinite(again(random_outputs(0), random_outputs(1))).all()


def test_what_it_cannot_be_about():
    loss = OnOutput(SoftTargetDistillation(), "colour")
    with pytest.raises(ValueError, match="about no output yet"):
        OnOutput(loss, "shape")
    with pytest.raises(ValueError, match="has 0, 1, got 'colour'"):
        loss(random_outputs(0), random_outputs(1))
