"""What is checked on students that learn together."""

import itertools

import keras

from keras_kd._checks import invalid
from keras_kd.distiller.hard_loss import name_of
from keras_kd.distiller.look import few
from keras_kd.distiller.preflight import check_labels
from keras_kd.outputs import (
    check_inputs,
    check_logits,
    check_weights,
    forward,
    share_what_trains,
)

WHERE = "MutualDistiller.fit"


def check_students(students):
    """Raises unless these are several models of their own that score the same classes.

    Args:
        students: what the caller gave.
    """
    is_list = isinstance(students, (list, tuple)) and len(students) >= 2
    if not is_list or not all(isinstance(model, keras.Model) for model in students):
        raise invalid(
            "MutualDistiller",
            "`students` to be a list of at least two keras.Models",
            [type(model).__name__ for model in students]
            if isinstance(students, (list, tuple))
            else type(students).__name__,
            "For a single student and a trained teacher use Distiller.",
        )
    for before, model in itertools.combinations(students, 2):
        if share_what_trains(before, model):
            raise invalid(
                "MutualDistiller",
                "students without common weights that training changes",
                f'model "{model.name}" that shares layers with one before it',
                "Make each of them anew.",
            )
    _check_classes(
        "MutualDistiller",
        [tuple(m.output_shape) for m in students if getattr(m, "outputs", None)],
    )


def common_activation(heads, students):
    """How the students' logits are read: "softmax", or "sigmoid" for each on its own.

    Args:
        heads: list of `Head`.
        students: list of models.

    Raises:
        ValueError: Some heads are softmax and some sigmoid.
    """
    kinds = {head.activation for head in heads}
    if kinds >= {"softmax", "sigmoid"}:
        raise invalid(
            "MutualDistiller",
            "students that end alike",
            "some in softmax and some in sigmoid",
            "Their probabilities mean different things: give all the same head.",
        )
    shapes = [m.output_shape for m in students if getattr(m, "outputs", None)]
    is_one_unit = any(shape[-1] == 1 for shape in shapes)
    return "sigmoid" if "sigmoid" in kinds or is_one_unit else "softmax"


def read_together(readings, activation, loss):
    """How the students' outputs are read, now that the loss on labels is known.

    Args:
        readings: list of what it says of each student, see `readings.reading`.
        activation: what the heads alone say, see `common_activation`.
        loss: what `compile` was given.

    Raises:
        ValueError: It reads values of one student and probabilities of another.
    """
    if "linear" in readings and len(set(readings)) > 1:
        raise invalid(
            "MutualDistiller.compile",
            f"students that end alike, for {name_of(loss)}",
            f"outputs read as {', '.join(map(str, readings))}",
            "Give all the same head.",
        )
    if "softmax" in readings or None in readings:
        return activation
    return readings[0]


def check_metrics(*lists):
    """Raises unless each of `lists` is a list of metrics, or None."""
    for metrics in lists:
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise invalid(
                "MutualDistiller.compile",
                "`metrics` to be a list, which holds for every student",
                type(metrics).__name__,
                'Give one list, such as ["accuracy"].',
            )


def check_weights_of(students):
    """Raises if a weight is NaN or infinite, naming the student."""
    for student in students:
        check_weights(WHERE, student, f'student "{student.name}"')


def check_batch(distiller, batch, y, *, training):
    """Looks at the students, at the first batch, and at all labels in memory.

    Args:
        distiller: the `MutualDistiller`, compiled.
        batch: the first `Batch`.
        y: as for `fit`.
        training: bool; evaluation needs the same.

    Raises:
        ValueError: They cannot be used; the message says why and how to fix it.
    """
    where = distiller.where
    if batch.labels is None:
        raise unlabelled()
    shapes = []
    for student, head in zip(distiller.students, distiller.heads, strict=True):
        check_inputs(where, student, batch.inputs)
        inputs = few(batch.inputs, *distiller.students)
        logits = forward(student, inputs, head=head)[1].logits
        check_logits(where, logits, head, "student", model=student, inputs=inputs)
        shapes.append((None, *logits.shape[1:]))
    check_students(distiller.students)  # again: some have weights only now
    _check_classes(where, shapes)
    if distiller.infers_hard_loss:
        labels = batch.labels if y is None else y
        check_labels(labels, shapes[0], distiller.activation, where=where)


def unlabelled():
    """The error for data without labels."""
    return invalid(
        WHERE,
        "labels, as the students have no teacher but each other",
        "data without labels",
        "Give labels; for unlabelled data use a Distiller with a trained teacher.",
    )


def _check_classes(where, shapes):
    if len(set(shapes)) > 1:
        raise invalid(
            where,
            "students that score the same classes",
            f"outputs of shapes {', '.join(map(str, shapes))}",
            "Give all a head with the same number of classes.",
        )
