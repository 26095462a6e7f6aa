"""Teacher and student see the same of each example, or the user is told."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd

X = np.random.default_rng(0).uniform(0, 1, (16, 8, 8, 3)).astype("float32")
Y = np.arange(16) % 3


def model(*first):
    stack = [keras.Input((8, 8, 3)), *first, layers.Flatten(), layers.Dense(3)]
    return keras.Sequential(stack)


@keras.saving.register_keras_serializable("tests")
class RandomStripes(layers.Layer):
    """As a user, or another library, writes one."""


AUGMENTATIONS = {
    "flip": lambda: layers.RandomFlip(),
    "crop": lambda: layers.RandomCrop(8, 8),
    "rotation": lambda: layers.RandomRotation(0.1),
    "several": lambda: layers.RandAugment((0, 1)),
    "nested": lambda: keras.Sequential([layers.RandomZoom(0.1)]),
    "own": lambda: RandomStripes(),
}


def warned_of(make):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make()
    return [str(one.message) for one in told if "same view" in str(one.message)]


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_augmentation_inside_the_student_is_told_once(kind):
    def train():
        student = model(AUGMENTATIONS[kind]())
        distiller = keras_kd.Distiller(model(), student)
        distiller.compile("sgd")
        if kind == "flip":
            distiller.fit(X, Y, epochs=2, verbose=0)
            distiller.fit(X, Y, verbose=0)

    [message] = warned_of(train)
    assert "got random layers inside the student: '" in message


def test_students_that_learn_together_are_told_of_their_augmentation():
    students = [model(layers.RandomFlip()), model()]
    assert warned_of(lambda: keras_kd.distiller.MutualDistiller(students))


def test_dropout_and_noise_are_no_other_view():
    student = model(layers.Dropout(0.1), layers.GaussianNoise(0.1), layers.Rescaling(2))
    assert not warned_of(lambda: keras_kd.Distiller(model(), student))


def test_mean_teacher_may_see_another_view():
    student = model(layers.RandomFlip())
    teacher = keras_kd.teachers.MeanTeacher(student)
    assert not warned_of(lambda: keras_kd.Distiller(teacher, student))


def test_way_that_the_warning_names_shows_both_models_the_same():
    [message] = warned_of(
        lambda: keras_kd.Distiller(model(), model(layers.RandomFlip()))
    )
    code = message.split("augment the data: ")[1].split(", where augment is")[0]
    augment = keras.Sequential([layers.RandomFlip(seed=1)])
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    data = eval(code, {"data": data, "augment": augment})
    seen = []

    class Seeing(layers.Layer):
        def call(self, inputs):
            tf.py_function(lambda x: seen.append(x.numpy()), [inputs], [])
            return inputs

    distiller = keras_kd.Distiller(model(Seeing()), model(Seeing()))
    distiller.compile("sgd", run_eagerly=True)
    distiller.fit(data, verbose=0)
    *_, teachers, students = seen
    np.testing.assert_array_equal(teachers, students)
    assert not np.array_equal(teachers, X)
