"""What is checked before the first round of a chain."""

import itertools
from collections.abc import Iterator

import keras

from keras_kd._checks import invalid
from keras_kd.distiller.distiller import Distiller
from keras_kd.outputs import share_what_trains


def made_distiller(where, make_distiller, teacher, student):
    """A compiled distiller from the caller's function.

    Raises:
        ValueError: It returned something else.
    """
    """A compiled distiller from the caller's function.

    Raises:
        ValueError: It returned something else.
    """
    distiller = make_distiller(teacher, student)
    is_right = isinstance(distiller, Distiller) and distiller.student is student
    if not is_right or not distiller.compiled:
        raise invalid(
            where,
            "`make_distiller(teacher, student)` to return a compiled Distiller of them",
            repr(distiller) if not is_right else "one that is not compiled",
            "Let it call distiller.compile(...) and return the distiller.",
        )
    return distiller


def made_folder(where, folder):
    """`folder`, which is there now.

    Raises:
        ValueError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid(
            where,
            "`folder` to be a folder, or a place where one can be made",
            f"{folder} ({error.strerror})",
            "Choose another folder, or change its permissions.",
        ) from error
    return folder


def check_count(where, name, value):
    """Raises unless `value` is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise invalid(
            where,
            f"`{name}` to be an integer of at least 1",
            repr(value),
            f"Choose how many {name} there shall be.",
        )


def check_list(where, name, value):
    """Raises unless `value` is a list or tuple."""
    if not isinstance(value, (list, tuple)):
        raise invalid(
            where,
            f"`{name}` to be a list",
            type(value).__name__,
            f"Put it in brackets: {name}=[model].",
        )


def check_data(where, data):
    """Raises if an argument of `fit` can be read only once.

    Args:
        where: str, see `invalid`.
        data: dict, the arguments by name.
    """
    for name, value in data.items():
        if isinstance(value, Iterator):
            raise invalid(
                where,
                f"`{name}` as something that every round can read from its start",
                f"a {type(value).__name__}",
                "Pass arrays, a tf.data.Dataset or a keras.utils.PyDataset.",
            )


def check_models(where, teacher, students):
    """Raises unless the students are built models that share no weights.

    Args:
        where: str, see `invalid`.
        teacher: a Keras model, a list, or a `Teacher`, which is not looked into.
        students: list.
    """
    for student in students:
        if not isinstance(student, keras.Model) or not student.built:
            raise invalid(
                where,
                "every student and assistant to be a built keras.Model",
                getattr(student, "name", type(student).__name__),
                "Give its first layer an Input, or call it on a batch first.",
            )
    models = keras.tree.flatten(teacher)
    models = [model for model in models if isinstance(model, keras.Model)] + students
    for before, model in itertools.combinations(models, 2):
        if share_what_trains(before, model):
            raise invalid(
                where,
                "models without common weights that training changes",
                f'"{model.name}" that shares layers with one before it',
                "Make each of them anew: the training of one would change the other.",
            )
