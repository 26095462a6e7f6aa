"""Students that become teachers: through assistants, and over generations."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_kd.distiller.chain_checks import (
    check_count,
    check_data,
    check_list,
    check_models,
    made_distiller,
    made_folder,
)
from keras_kd.distiller.distiller import Distiller
from keras_kd.distiller.rounds import settings_of, teach


@dataclass(frozen=True)
class TeacherChain:
    """What the rounds of a chain ended with.

    Attributes:
        models: tuple of Keras models, the student of each round, in order.
        histories: tuple of dicts, for each round the logged names, each with a list of
            floats, one for each epoch; those before a kill too.

    Example:
        >>> TeacherChain(("assistant", "student"), ({}, {})).student
        'student'
    """

    models: tuple
    histories: tuple

    @property
    def student(self):
        """The student of the last round."""
        return self.models[-1]


def distill_through_assistants(
    teacher,
    assistants,
    student,
    x,
    y=None,
    *,
    folder,
    make_distiller=None,
    epochs=1,
    monitor=None,
    callbacks=(),
    **fit_arguments,
):
    """Trains assistants of middle size one after the other, then the student.

    The teacher teaches the first assistant, each assistant the next, the last one the
    student: where a student is much smaller than its teacher, a bridge in steps.

    Each round is a `Distiller` that is compiled and fitted. Killed at any moment and
    called again with the same arguments, finished rounds are read from `folder` and the
    running one goes on after its last whole epoch; callbacks with a memory, such as
    `EarlyStopping`, begin anew then. A round is read or continued only if its teacher
    (by fingerprint), the architecture of its student, the distiller, the optimizer and
    the arguments of `fit` are the same: arrays by their content, other data sets by the
    shapes of their elements. Starting weights count when a round begins, and later not.

    Args:
        teacher: whatever `make_distiller` takes: a trained `keras.Model`, or a
            `Teacher` or list for `Distiller`. It is not changed.
        assistants: list of built Keras models, largest first; trained in place, as the
            student is.
        student: a built Keras model, with layers of its own as all the others.
        x: for `Distiller.fit`, of every round: arrays, `tf.data.Dataset` or
            `keras.utils.PyDataset`; no generator, which can be read once only.
        y: for `Distiller.fit`.
        folder: `str` or `Path` for the rounds, made if it does not exist. A folder of
            one round takes the weights of its student at the end; while it runs, up to
            12 times as much with Adam.
        make_distiller: function from a teacher and a student to a compiled `Distiller`
            with new losses, optimizer and metrics, as each round needs its own. It is
            called for every pair before the first round, so that what does not fit is
            found then, and again when the round begins. Default: a `Distiller` of the
            default settings with Adam and the metric "accuracy".
        epochs: int, of each round.
        monitor: str, the logged value by whose largest an epoch is chosen in each
            round, such as "val_accuracy". Default None: the last epoch.
        callbacks: list of Keras callbacks, the same ones for each round.
        **fit_arguments: for `Distiller.fit` of each round: `validation_data`,
            `batch_size`, `shuffle`, `verbose` and others.

    Returns:
        A `TeacherChain` with the assistants and the student.

    Raises:
        ValueError: An argument cannot be used; the folder holds a round with other
            settings, or files that were changed.

    Reference:
        Mirzadeh et al., 2020, https://arxiv.org/abs/1902.03393.
        Departures: none; which sizes of assistants help is up to the caller.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> from keras import layers
        >>> def model(units):
        ...     hidden = layers.Dense(units, activation="relu")
        ...     return keras.Sequential([keras.Input((4,)), hidden, layers.Dense(3)])
        >>> def make_distiller(teacher, student):
        ...     distiller = Distiller(teacher, student, alpha=0.1, temperature=4.0)
        ...     distiller.compile(keras.optimizers.Adam(0.01), metrics=["accuracy"])
        ...     return distiller
        >>> chain = distill_through_assistants(
        ...     model(32), [model(16)], model(8), np.eye(4), np.array([0, 1, 2, 2]),
        ...     folder=tempfile.mkdtemp(), make_distiller=make_distiller, verbose=0,
        ... )
        >>> [sorted(history) for history in chain.histories][-1]
        ['accuracy', 'loss', 'soft_target_loss', 'student_loss']
    """
    where = "distill_through_assistants"
    check_list(where, "assistants", assistants)
    students = {f"{n}-assistant": model for n, model in enumerate(assistants, start=1)}
    students[f"{len(students) + 1}-student"] = student
    return _taught(
        where,
        teacher,
        students,
        folder=folder,
        make_distiller=make_distiller or _default_distiller,
        epochs=epochs,
        monitor=monitor,
        callbacks=callbacks,
        data={"x": x, "y": y, **fit_arguments},
    )


def born_again(
    teacher,
    make_student,
    generations,
    x,
    y=None,
    *,
    folder,
    make_distiller=None,
    epochs=1,
    monitor=None,
    callbacks=(),
    **fit_arguments,
):
    """Trains generations of one architecture, each of which teaches the next.

    Rounds are kept in `folder` and continued as by `distill_through_assistants`; called
    again with more generations it adds those that are missing.

    All generations together make a better teacher or classifier than the last alone:
    `Distiller(list(chain.models), student)` and `keras_kd.teachers.Ensemble` take them.

    Args:
        teacher: the first teacher, see `distill_through_assistants`; or None: the first
            generation learns from the labels alone, in its round α is 1.
        make_student: function without arguments that makes a new, built Keras model.
            It is called for every generation before the first round, so that a program
            that fixes its seed gets the same ones again.
        generations: int, at least 1.
        x: see `distill_through_assistants`.
        y: see there.
        folder: see there.
        make_distiller: see there. Where `teacher` is None it is given an untrained
            model for the first generation, to which nobody listens.
        epochs: see there.
        monitor: see there.
        callbacks: see there.
        **fit_arguments: see there.

    Returns:
        A `TeacherChain` with all generations.

    Raises:
        ValueError: As for `distill_through_assistants`.

    Reference:
        Furlanello et al., "Born-Again Neural Networks", 2018,
        https://arxiv.org/abs/1805.04770.
        Departures: the distiller's default α of 0.1 and temperature of 4; the paper
        trains on the teacher's probabilities with and without labels, at temperature 1.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> def make_student():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> x, y = np.eye(4), np.array([0, 1, 2, 2])
        >>> chain = born_again(
        ...     None, make_student, 3, x, y, folder=tempfile.mkdtemp(), verbose=0
        ... )
        >>> len(chain.models)
        3
    """
    where = "born_again"
    check_count(where, "generations", generations)
    students = {f"{n}-generation": make_student() for n in range(1, generations + 1)}
    return _taught(
        where,
        make_student() if teacher is None else teacher,
        students,
        labels_first=teacher is None,
        folder=folder,
        make_distiller=make_distiller or _default_distiller,
        epochs=epochs,
        monitor=monitor,
        callbacks=callbacks,
        data={"x": x, "y": y, **fit_arguments},
    )


def _taught(
    where,
    teacher,
    students,
    *,
    folder,
    make_distiller,
    epochs,
    monitor,
    callbacks,
    data,
    labels_first=False,
):
    """Lets each of `students`, a dict by name of the round, teach the next."""
    check_count(where, "epochs", epochs)
    check_data(where, data)
    check_models(where, teacher, list(students.values()))
    for pair in itertools.pairwise([teacher, *students.values()]):
        made_distiller(where, make_distiller, *pair)
    counting = {key: value for key, value in data.items() if key != "verbose"}
    histories = []
    for name, student in students.items():
        distiller = made_distiller(where, make_distiller, teacher, student)
        has_no_teacher = labels_first and not histories
        if has_no_teacher:
            distiller.objective.alpha = 1.0
        settings = {
            **settings_of(distiller, counting),
            "epochs": epochs,
            "monitor": monitor,
            **({"teacher": None} if has_no_teacher else {}),
        }
        history = teach(
            where,
            made_folder(where, Path(folder) / name),
            distiller,
            settings=settings,
            epochs=epochs,
            monitor=monitor,
            callbacks=callbacks or (),
            **data,
        )
        histories.append(history)
        teacher = student
    return TeacherChain(tuple(students.values()), tuple(histories))


def _default_distiller(teacher, student):
    distiller = Distiller(teacher, student)
    metrics = keras.tree.map_structure(lambda head: ["accuracy"], distiller.head)
    distiller.compile("adam", metrics=metrics)
    return distiller
