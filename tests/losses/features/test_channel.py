"""Channel-wise distillation against SciPy."""

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from keras_kd.losses.features.channel import ChannelDistillation, channel_divergence
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT = np.random.default_rng(0).normal(0, 2, (2, 3, 4, 5, 6))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_equals_a_loop_over_channels(temperature):
    expected = np.zeros(3)
    for example in range(3):
        for channel in range(6):
            p = softmax(TEACHER[example, ..., channel].ravel() / temperature)
            q = softmax(STUDENT[example, ..., channel].ravel() / temperature)
            expected[example] += temperature**2 * rel_entr(p, q).sum() / 6
    ours = channel_divergence(TEACHER, STUDENT, temperature=temperature)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_adding_to_a_channel_changes_nothing():
    shifted = STUDENT + np.arange(6)
    np.testing.assert_allclose(
        channel_divergence(TEACHER, shifted, temperature=4.0),
        channel_divergence(TEACHER, STUDENT, temperature=4.0),
        rtol=1e-4,
    )


def test_a_student_of_other_width_is_projected():
    loss = ChannelDistillation("a", "b")
    teacher = ModelOutputs(np.zeros((3, 2)), {"a": TEACHER.astype("float32")})
    student = ModelOutputs(np.zeros((3, 2)), {"b": STUDENT[..., :2].astype("float32")})
    assert loss(teacher, student).shape == (3,)
    assert [w.shape for w in loss.trainable_variables] == [(1, 1, 2, 6)]


def test_maps_of_other_size_are_refused():
    shapes = (
        ModelOutputs((None, 2), {"a": (None, 8, 8, 3)}),
        ModelOutputs((None, 2), {"b": (None, 4, 4, 3)}),
    )
    message = r'"b" to have the height and width of teacher layer "a", \(8, 8, 3\)'
    with pytest.raises(ValueError, match=message):
        ChannelDistillation("a", "b").build(*shapes)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        ChannelDistillation("a", "b", temperature=0)
