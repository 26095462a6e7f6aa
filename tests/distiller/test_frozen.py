"""A student whose weights are all frozen is an error before the first step."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.arange(16) % 3


def model():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3)])


class Subclassed(keras.Model):
    """Without weights before it runs."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


def frozen_copy():
    """What `clone_model` makes of a teacher that was frozen before."""
    teacher = model()
    teacher.trainable = False
    return keras.models.clone_model(teacher)


def frozen_layers():
    student = model()
    for layer in student.layers:
        layer.trainable = False
    return student


def frozen_subclass():
    student = Subclassed()
    student.trainable = False
    return student


STUDENTS = [frozen_copy, frozen_layers, frozen_subclass]


def alone(student):
    return keras_kd.Distiller(model(), student)


def together(student):
    return keras_kd.MutualDistiller([model(), student])


@pytest.mark.parametrize("make", [alone, together])
@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_student_that_is_frozen_is_an_error_before_the_first_step(
    make, student, method
):
    student = student()
    distiller = make(student)
    distiller.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="whose weights are all frozen") as error:
        getattr(distiller, method)(X, Y)
    assert "student.trainable = True" in str(error.value)
    assert distiller.optimizer.iterations == 0


@pytest.mark.parametrize("make", [alone, together])
@pytest.mark.parametrize("student", STUDENTS)
def test_a_student_learns_once_it_is_unfrozen_as_the_error_says(make, student):
    student = student()
    distiller = make(student)
    distiller.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="and the same for its layers"):
        distiller.fit(X, Y)
    student.trainable = True
    for layer in student.layers:
        layer.trainable = True
    student(X)
    before = student.get_weights()[0]
    distiller = make(student)
    distiller.compile("sgd", run_eagerly=True)
    distiller.fit(X, Y, verbose=0)
    assert np.abs(student.get_weights()[0] - before).max() > 0


def test_students_that_are_all_frozen_have_the_same_error():
    distiller = keras_kd.MutualDistiller([frozen_copy(), frozen_copy()])
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="whose weights are all frozen"):
        distiller.fit(X, Y, verbose=0)


def test_a_student_without_any_weight_is_an_error():
    student = keras.Sequential([keras.Input((3,)), layers.Activation("softmax")])
    teacher = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="which has none"):
        distiller.fit(X[:, :3], Y, verbose=0)


def test_a_student_that_is_frozen_in_part_learns_with_the_rest():
    student = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(3)])
    student.layers[0].trainable = False
    first, last = (layer.get_weights()[0] for layer in student.layers)
    distiller = alone(student)
    distiller.compile("sgd", run_eagerly=True)
    distiller.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(student.layers[0].get_weights()[0], first)
    assert np.abs(student.layers[1].get_weights()[0] - last).max() > 0
