"""What is checked on models and data before the first training step."""

import math

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd.distiller.entries import part_of
from keras_kd.distiller.hard_loss import is_sparse
from keras_kd.distiller.look import few
from keras_kd.distiller.wiring import connect_to_data
from keras_kd.outputs import check_inputs, check_logits, check_weights

WHERE = "Distiller.fit"
# Under which data sets hold what is to be learnt, tensorflow-datasets' among them.
_LABELS = ("label", "labels", "target", "targets", "y")


def check_batch(distiller, batch, y, *, training):
    """Looks at the models, at the first batch, and at all labels in memory.

    Args:
        distiller: the `Distiller`, compiled; with a teacher if it is to be trained.
        batch: the first `Batch`.
        y: as for `fit`.
        training: bool.

    Raises:
        ValueError: They cannot be used; the message says why and how to fix it.
    """
    where, labels = distiller.where, batch.labels
    if training:
        require_teacher(distiller)
    check_inputs(where, distiller.student, batch.inputs)
    if labels is None and training and distiller.objective.needs_labels:
        raise unlabelled(batch.inputs)
    if training:
        _check_example_ids(distiller.objective, batch.example_ids)
    teacher = getattr(distiller.teacher, "model", None)
    examples = few(batch.examples, distiller.student, teacher)
    teaches = training or distiller.can_ask_teacher(batch.examples)
    if teaches:
        distiller.teacher.check_answer(where, examples)
    student = distiller.student_outputs(examples.inputs)
    check_logits(
        where,
        student.logits,
        distiller.head,
        "student",
        model=distiller.student,
        inputs=examples.inputs,
    )
    if teaches:
        connect_to_data(distiller, examples.inputs)
    if labels is not None and distiller.infers_hard_loss:
        _check_all_labels(distiller, labels if y is None else y, student)


def check_models(distiller):
    """Raises unless there are models that can be used, whatever the data.

    Args:
        distiller: the `Distiller`, compiled.
    """
    require_teacher(distiller)
    check_weights(WHERE, distiller.student, "student")
    _check_compilation(distiller)


def require_teacher(distiller):
    """Raises if a distiller has no teacher, as after loading."""
    if distiller.teacher is None:
        raise invalid(
            WHERE,
            "a teacher",
            "a distiller that was loaded without one",
            "Give it back: distiller.attach_teacher(teacher).",
        )


def unlabelled(inputs=None):
    """The error for data without labels where they are needed.

    Args:
        inputs: what there is; a dict may hold the labels, too.
    """
    inputs = inputs if isinstance(inputs, dict) else {}
    names = [name for name in inputs if name in _LABELS]
    if names:
        others = [name for name in inputs if name not in _LABELS]
        return invalid(
            WHERE,
            "pairs of inputs and labels",
            f"dicts of {', '.join(map(repr, inputs))}",
            f"Take them apart: data.map(lambda batch: (batch[{others[0]!r}], "
            f"batch[{names[0]!r}])); tfds.load(..., as_supervised=True) does."
            if len(others) == 1
            else "Take them apart: data.map(lambda batch: (batch, batch.pop("
            f"{names[0]!r}))).",
        )
    return invalid(
        WHERE,
        "labels, because alpha gives the hard labels a weight",
        "data without labels",
        "Pass alpha=0 to learn from the teacher alone.",
    )


def check_labels(labels, logits_shape, activation, *, where=WHERE):
    """Raises unless labels suit a cross-entropy over the classes that logits score.

    Args:
        labels: array of class numbers, or of one row a class.
        logits_shape: tuple `(batch, ..., num_classes)`, of any batch size.
        activation: "softmax" or "sigmoid", see `HardLabelCrossEntropy`.
        where: str, see `invalid`.
    """
    labels = np.asarray(*keras.tree.flatten(labels))
    if not np.issubdtype(labels.dtype, np.number) and labels.dtype != bool:
        raise invalid(
            where, "labels as numbers", labels.dtype, "Number the classes from 0."
        )
    if not np.isfinite(labels).all():
        raise invalid(where, "finite labels", "NaN or inf", "Clean the labels.")
    num_classes, sizes = logits_shape[-1], tuple(logits_shape[1:])
    one_choice = activation == "softmax" and num_classes > 1
    is_number = one_choice and is_sparse(labels.shape, logits_shape)
    wanted = sizes[:-1] if is_number else sizes
    if labels.size != len(labels) * math.prod(wanted):
        shapes = [sizes[:-1], sizes] if one_choice else [sizes]
        shapes = " or ".join(str(("batch", *shape)) for shape in shapes)
        raise invalid(
            where,
            f"labels of shape {shapes}".replace("'", ""),
            labels.shape,
            "Encode the labels for the classes of the student's head.",
        )
    if is_number:
        _check_class_numbers(labels, num_classes, where)
    else:
        _check_rows(labels, one_choice, where)


def _check_all_labels(distiller, labels, student):
    """Raises unless the labels of each output suit its inferred loss."""
    for name in student.names or [None]:
        own = (
            part_of(labels, name, distiller.objective.others)
            if student.names
            else labels
        )
        if own is None:
            raise invalid(
                distiller.where,
                f"labels for each output, {student.names}",
                f"none for {name!r}",
                "Pass them by the names or places of the outputs.",
            )
        loss = part_of(distiller.loss, name)
        shape = student.of(name).logits.shape
        check_labels(own, shape, loss.activation, where=distiller.where)


def _check_compilation(distiller):
    # Where Keras chose by itself it has left out XLA: see `attach_teacher`.
    asked = distiller.get_compile_config().get("jit_compile")
    if asked is True and not distiller.teacher.compilable:
        raise invalid(
            WHERE,
            "jit_compile=False for a teacher that runs outside TensorFlow",
            f"jit_compile=True with {type(distiller.teacher).__name__}",
            "Call compile without jit_compile=True.",
        )


def _check_example_ids(objective, ids):
    needing = [loss for loss in objective.losses if loss.needs_example_ids]
    if needing and ids is None:
        raise invalid(
            WHERE,
            f"the number of each example, which {type(needing[0]).__name__} needs",
            "data without them",
            "Train on Split.batches(..., ids=True), or on "
            "keras_kd.data.Examples(x, ids=range of numbers) in the place of x.",
        )
    for loss in needing:
        loss.check_example_ids(np.asarray(ids))


def _check_class_numbers(labels, num_classes, where):
    low, high = labels.min(), labels.max()
    if (labels != np.floor(labels)).any():
        raise invalid(
            where, "whole numbers as labels", "fractions", "Pass integer class numbers."
        )
    if low < 0 or high >= num_classes:
        raise invalid(
            where,
            f"labels from 0 to {num_classes - 1} for {num_classes} classes",
            f"label {low if low < 0 else high}",
            "Number the classes from 0. If a label below 0 says that there is none, "
            "pass loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, "
            f"ignore_class={int(low)}) to compile."
            if low < 0
            else "Number the classes from 0, or give the models a larger head.",
        )


def _check_rows(labels, one_choice, where):
    if labels.min() < 0 or labels.max() > 1:
        raise invalid(
            where,
            "one-hot or multi-hot labels in [0, 1]",
            f"values from {labels.min()} to {labels.max()}",
            "Make 0 and 1 of them: y = (y + 1) / 2."
            if set(np.unique(labels)) == {-1, 1}
            else "Encode class numbers: keras.utils.to_categorical(y, num_classes).",
        )
    if one_choice and not np.allclose(labels.sum(axis=-1), 1, atol=1e-3):
        raise invalid(
            where,
            "one-hot labels for a softmax over the classes",
            "rows that do not sum to 1 (multi-hot)",
            'Use heads with activation="sigmoid" for multi-hot labels; a Distiller may '
            "have distillation_losses=MultiLabelDistillation() instead.",
        )
