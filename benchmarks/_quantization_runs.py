"""The runs of `quantization.py`: one student of one seed, in every precision."""

import json
from dataclasses import dataclass

import keras
import numpy as np
from _training import classes_of, falling_adam, kept
from keras import layers

import keras_kd
from keras_kd import students
from keras_kd._files import write_json
from keras_kd.data import random_crop, random_flip
from keras_kd.export import LiteRtModel, convert, quantization_aware

BATCH_SIZE = 64


@dataclass(frozen=True)
class Setting:
    """How a kind of data is learned.

    Attributes:
        teacher: width and blocks of the teacher, a `students.convnet`.
        students: dict of name to function of `(input_shape, num_classes)`.
        augment: for `Split.batches`, or None.
        teacher_epochs: int.
        epochs: int, of the float student.
        more_epochs: dict of bits of weights to int, of the quantisation-aware students;
            the float student goes on as long as that of 8 bits, without roundings.
    """

    teacher: tuple[int, int]
    students: dict
    augment: tuple | None
    teacher_epochs: int
    epochs: int
    more_epochs: dict
    learning_rate: float = 3e-3
    more_learning_rate: float = 1e-3


def separable(input_shape, num_classes, *, width=16):
    """A student of depthwise-separable blocks, as MobileNet has them."""
    inputs = keras.Input(input_shape, name="image")
    x = _normalised(layers.Conv2D(width, 3, padding="same", use_bias=False)(inputs))
    for channels, strides in ((2, 2), (2, 1), (4, 2), (4, 1), (8, 2)):
        depthwise = layers.DepthwiseConv2D(
            3, padding="same", strides=strides, use_bias=False
        )
        x = _normalised(depthwise(x))
        x = _normalised(layers.Conv2D(channels * width, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x))


def plain(input_shape, num_classes):
    """`students.convnet`, small, of as many halvings as the images allow."""
    blocks = 3 if input_shape[0] >= 32 else 2
    return students.convnet(input_shape, num_classes, width=8, blocks=blocks)


def setting_of(data):
    """The `Setting` for a `DataSet`."""
    if data.name == "digits":
        kinds = {"plain": plain}
        return Setting((32, 2), kinds, None, 30, 40, {8: 20, 4: 40})
    kinds = {"plain": plain, "separable": separable}
    augment = (random_crop(4), random_flip)
    return Setting((32, 3), kinds, augment, 12, 15, {8: 5, 4: 10})


def run(data, kind, seed, *, part_name, folder):
    """Trains and scores one student in every precision; what is done stays done.

    Args:
        data: `DataSet`.
        kind: str, a key of the setting's students.
        seed: int.
        part_name: str, "test" or "validation", the part to score on.
        folder: `Path` for models, files and the result.

    Returns:
        A dict of what was scored, see `quantization.py`.
    """
    place = folder / kind / f"seed_{seed}"
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{part_name}.json"
    part = getattr(data, part_name)
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    runs = _Runs(data, kind, seed, place)
    result = {"float": runs.score_keras(runs.float_student(), part)}
    result["float_continued"] = runs.score_keras(runs.continued(), part)
    for precision in ("int8", "int4_weights"):
        result[f"{precision}_after_training"] = runs.post_training(precision, part)
        result[f"{precision}_in_training"] = runs.in_training(precision, part)
    write_json(path, result)
    return result


def teacher_of(data, folder):
    """The teacher of a data set, the same for all students."""
    setting = setting_of(data)
    width, blocks = setting.teacher

    def trained():
        keras.utils.set_random_seed(0)
        teacher = students.convnet(
            data.input_shape, data.num_classes, width=width, blocks=blocks
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        epochs = setting.teacher_epochs
        teacher.compile(_adam(setting.learning_rate, epochs, data), loss)
        teacher.fit(_batches(data, 0), epochs=epochs, verbose=0, shuffle=False)
        return teacher

    return kept(folder / "teacher.keras", trained)


class _Runs:
    """All that is trained for one student of one seed."""

    def __init__(self, data, kind, seed, place):
        self._data, self._seed, self._place = data, seed, place
        self._setting = setting_of(data)
        self._make = self._setting.students[kind]
        self._teacher = teacher_of(data, place.parent.parent)

    def float_student(self):
        """The student, distilled without roundings."""

        def trained():
            student = self._make(self._data.input_shape, self._data.num_classes)
            return self._distilled(
                student, self._setting.epochs, self._setting.learning_rate
            )

        keras.utils.set_random_seed(self._seed)
        return kept(self._place / "float.keras", trained)

    def continued(self):
        """The float student after as many epochs more as the others get."""

        def copy(student):
            new = keras.models.clone_model(student)
            new.set_weights(student.get_weights())
            return new

        return self._more("continued", copy, bits=8)

    def in_training(self, precision, part):
        """The score of the file of a quantisation-aware student."""
        bits = {"int8": 8, "int4_weights": 4}[precision]
        student = self._more(
            precision,
            lambda student: quantization_aware(student, weights_bits=bits),
            bits=bits,
        )
        file = self._place / f"{precision}_in_training.tflite"
        convert(student, file, precision=precision)
        score = self._score_file(file, part)
        chosen, by_keras = score.pop("chosen"), classes_of(student, part)
        return {
            **score,
            "keras": self._fraction(by_keras, part),
            "agreement": round(float(np.mean(chosen == by_keras)), 5),
        }

    def post_training(self, precision, part):
        """The score of the file of the float student."""
        file = self._place / f"{precision}_after_training.tflite"
        data = self._data.train if precision == "int8" else None
        convert(self.float_student(), file, precision=precision, calibration_data=data)
        score = self._score_file(file, part)
        del score["chosen"]
        return score

    def score_keras(self, model, part):
        """The accuracy of a Keras model."""
        return {"accuracy": self._fraction(classes_of(model, part), part)}

    def _more(self, name, make, *, bits):
        """A student made of the float one, trained on."""

        def trained():
            epochs = self._setting.more_epochs[bits]
            rate = self._setting.more_learning_rate
            return self._distilled(make(self.float_student()), epochs, rate)

        keras.utils.set_random_seed(self._seed)
        return kept(self._place / f"{name}.keras", trained)

    def _distilled(self, student, epochs, rate):
        distiller = keras_kd.Distiller(self._teacher, student)
        distiller.compile(_adam(rate, epochs, self._data))
        batches = _batches(self._data, self._seed)
        distiller.fit(batches, epochs=epochs, verbose=0, shuffle=False)
        return student

    def _score_file(self, file, part):
        chosen = LiteRtModel(file)(part.arrays()[0]).argmax(axis=-1)
        return {
            "accuracy": self._fraction(chosen, part),
            "size_bytes": file.stat().st_size,
            "chosen": chosen,
        }

    def _fraction(self, chosen, part):
        return round(float(np.mean(chosen == part.arrays()[1])), 5)


def _batches(data, seed):
    augment = setting_of(data).augment
    return data.train.batches(BATCH_SIZE, shuffle_seed=seed, augment=augment)


def _adam(rate, epochs, data):
    return falling_adam(rate, epochs, data, batch_size=BATCH_SIZE)


def _normalised(x):
    # The momentum of `students.convnet`, for the same reason.
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
