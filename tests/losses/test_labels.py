"""Labels in every form `fit` accepts."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.labels import (
    at_true_class,
    check_several_classes,
    class_numbers,
    without_true_class,
)
from keras_kd.outputs import ModelOutputs

CLASSES = np.array([2, 0, 1, 2])


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("form", [CLASSES, CLASSES[:, None], np.eye(3)[CLASSES]])
def test_every_form_gives_the_same_int32(form, dtype):
    numbers = class_numbers(form.astype(dtype), 3, "Loss")
    assert numbers.dtype == "int32"
    np.testing.assert_array_equal(numbers, CLASSES)


def test_of_mixed_labels_the_largest_counts():
    np.testing.assert_array_equal(class_numbers([[0.3, 0.7]], 2, "Loss"), [1])


def test_forms_are_told_apart_where_the_batch_size_is_unknown():
    @tf.function(input_signature=[tf.TensorSpec((None, 3))])
    def of_rows(labels):
        return class_numbers(labels, 3, "Loss")

    np.testing.assert_array_equal(of_rows(np.eye(3)[CLASSES]), CLASSES)


def test_missing_labels_are_an_error_that_names_the_loss():
    with pytest.raises(ValueError, match=r"Loss: expected labels.* got None"):
        class_numbers(None, 3, "Loss")


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 1), ()])
def test_labels_of_another_shape_are_an_error(shape):
    with pytest.raises(ValueError, match=r"\(batch, 3\), got"):
        class_numbers(np.zeros(shape, "int32"), 3, "Loss")


def test_true_class_is_picked_and_left_out():
    logits = tf.constant([[1.0, 2.0, 1000.0], [-1000.0, 5.0, 5.0]])
    np.testing.assert_array_equal(at_true_class(logits, [2, 0]), [1000, -1000])
    others = tf.nn.softmax(without_true_class(logits, tf.constant([2, 0])))
    expected = [[1 / (1 + np.e), np.e / (1 + np.e), 0.0], [0.0, 0.5, 0.5]]
    np.testing.assert_allclose(others, expected, rtol=1e-6)


def test_a_head_of_one_unit_has_no_softmax():
    check_several_classes("Loss", ModelOutputs((None, 2)))
    with pytest.raises(ValueError, match="at least 2 classes"):
        check_several_classes("Loss", ModelOutputs((None, 1)))
