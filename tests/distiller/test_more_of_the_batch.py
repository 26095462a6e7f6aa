"""A teacher may ask for more of the batch than the student takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd

IDS = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
SOUND = np.random.default_rng(1).normal(size=(24, 5)).astype("float32")
TEXT = np.array(["good", "bad film", "so so"] * 8)
Y = np.arange(24) % 3
# "a_sound" and "text": before and after the student's own in the order of names.
BATCH = {"ids": IDS, "text": TEXT, "a_sound": SOUND}


def data():
    return tf.data.Dataset.from_tensor_slices((BATCH, Y)).batch(8)


def model(name, shape, *first):
    stack = [keras.Input(shape, name=name), *first, layers.Dense(3, name="scores")]
    return keras.Sequential(stack)


def functional(structure):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((3,), name="ids")
    outputs = layers.Dense(3, name="scores")(inputs)
    return keras.Model({"ids": inputs} if structure == "dict" else inputs, outputs)


def divergence(teacher_logits, student_logits, temperature=4.0):
    log_p, log_q = (
        z / temperature - np.log(np.exp(z / temperature).sum(-1, keepdims=True))
        for z in (teacher_logits, student_logits)
    )
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(-1).mean()


@pytest.mark.parametrize("structure", ["dict", "tensor"])
def test_teacher_of_another_modality_is_given_its_part(structure):
    student, teacher = functional(structure), model("sound", (5,))
    distiller = keras_kd.Distiller(
        teacher, student, teacher_preprocessing=lambda z: z["a_sound"]
    )
    distiller.compile(keras.optimizers.SGD(0.0))
    expected = divergence(
        teacher.predict(SOUND, verbose=0).astype("float64"),
        student.predict(IDS, verbose=0).astype("float64"),
    )
    logs = distiller.evaluate(data(), return_dict=True, verbose=0)
    assert logs["soft_target_loss"] == pytest.approx(expected, rel=1e-4)
    logs = distiller.fit(data(), verbose=0).history
    assert logs["soft_target_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_teacher_reads_the_text_and_the_student_the_ids():
    words = layers.TextVectorization(max_tokens=9, output_mode="multi_hot")
    words.adapt(TEXT)
    teacher = keras.Sequential(
        [keras.Input((), dtype="string"), words, layers.Dense(3)]
    )
    student = functional("dict")
    distiller = keras_kd.Distiller(
        teacher, student, teacher_preprocessing=lambda z: z["text"]
    )
    distiller.compile(keras.optimizers.SGD(0.0))
    expected = divergence(
        teacher(tf.constant(TEXT)).numpy().astype("float64"),
        student.predict(IDS, verbose=0).astype("float64"),
    )
    logs = distiller.fit(data(), epochs=2, verbose=0).history
    assert logs["soft_target_loss"] == pytest.approx([expected] * 2, rel=1e-4)


def test_teacher_takes_more_inputs_by_name_than_the_student():
    inputs = {
        "ids": keras.Input((3,), name="ids"),
        "a_sound": keras.Input((5,), name="a_sound"),
    }
    joined = layers.Concatenate()([inputs["ids"], inputs["a_sound"]])
    teacher = keras.Model(inputs, layers.Dense(3)(joined))
    student = functional("dict")
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.0))
    expected = divergence(
        teacher.predict({"ids": IDS, "a_sound": SOUND}, verbose=0).astype("float64"),
        student.predict(IDS, verbose=0).astype("float64"),
    )
    numbers = {"ids": IDS, "a_sound": SOUND}
    for given in ((numbers, Y), (data(),)):
        logs = distiller.fit(*given, verbose=0).history
        assert logs["soft_target_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_losses_with_weights_are_connected_by_the_first_batch():
    def mapped(width, name, filters):
        conv = layers.Conv2D(filters, 1, name="conv")
        stack = layers.Reshape((1, width, 1)), conv, layers.Flatten()
        return model(name, (width,), *stack)

    teacher, student = mapped(3, "sound", 4), mapped(3, "ids", 2)
    hint = keras_kd.losses.HintDistillation("conv", "conv")
    distiller = keras_kd.Distiller(
        teacher, student, hint, teacher_preprocessing=lambda z: z["a_sound"][:, :3]
    )
    distiller.compile("sgd")
    assert not hint.built
    distiller.fit(data(), verbose=0)
    assert hint.trainable_weights
    trained = {id(weight) for weight in distiller.trainable_weights}
    assert {id(weight) for weight in hint.trainable_weights} <= trained
    assert distiller.optimizer.iterations == 3


def test_members_of_an_ensemble_have_each_their_part():
    members = [
        keras_kd.teachers.FrozenTeacher(
            model("sound", (5,)), preprocessing=lambda z: z["a_sound"]
        ),
        keras_kd.teachers.FrozenTeacher(functional("dict")),
    ]
    distiller = keras_kd.Distiller(members, functional("dict"))
    distiller.compile("sgd")
    logs = distiller.fit(data(), verbose=0).history
    assert np.isfinite(logs["loss"]).all()


def test_a_part_that_no_batch_holds_is_the_error_of_the_users_own_function():
    distiller = keras_kd.Distiller(
        model("sound", (5,)),
        functional("dict"),
        teacher_preprocessing=lambda z: z["sonud"],
    )
    distiller.compile("sgd")
    with pytest.raises(KeyError, match="sonud"):
        distiller.fit(data(), verbose=0)
