"""Counts, class by class, where distillation helped a student and where it hurt."""

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import check_choice, invalid
from keras_kd.callbacks.class_table import ClassRow, ClassTable
from keras_kd.callbacks.labelled import batches, count_outcomes
from keras_kd.distiller import Distiller
from keras_kd.distiller.batch import counted, part_of
from keras_kd.distiller.preflight import check_labels

_WHERE = "PerClassComparison"


class PerClassComparison(keras.callbacks.Callback):
    """Compares student and teacher on labelled data, class by class.

    A student can gain on average and lose on some classes. "Helped" are the examples
    that the student decides right and the teacher wrong, "hurt" the reverse. Several
    labels of one example, pixels and tokens are decisions of their own, counted by the
    masks and the ignored label of the loss; sample weights play no part.

    Teacher and student run over the data once before training, which finds data that
    cannot be used, and once at its end. The table is then of the weights that the
    student is left with, if `EarlyStopping(restore_best_weights=True)` comes earlier in
    the list of callbacks.

    With `every_epoch` they run after each epoch too, and "val_helped" and "val_hurt",
    the fractions of all examples, are logged. Keras hands the same `logs` from one
    callback to the next: those later in the list see them, so `CSVLogger` and
    `TensorBoard` come after this one.

    Args:
        validation_data: as in `fit`: arrays `(x, y)`, a finite `tf.data.Dataset` or a
            `keras.utils.PyDataset` of batches `(x, y)`.
        output: str or int, of models with several outputs the one to compare.
        batch_size: int, for arrays.
        class_names: list of str; default: the numbers of the classes.
        every_epoch: bool.

    Attributes:
        table: the last `ClassTable`; None before `fit`.

    Raises:
        ValueError: In `fit`, before the first step, for data that cannot be used, or
            for a model that has no teacher.

    Reference:
        That distillation can cost accuracy on some classes: Lukasik et al., 2021,
        https://arxiv.org/abs/2106.10494.

    Example:
        >>> teacher = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> student = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> distiller = Distiller(teacher, student)
        >>> distiller.compile("adam")
        >>> x, y = np.eye(2), np.array([0, 1])
        >>> comparison = PerClassComparison((x, y))
        >>> _ = distiller.fit(x, y, verbose=0, callbacks=[comparison])
        >>> comparison.table.total.examples
        2
    """

    def __init__(
        self,
        validation_data,
        *,
        output=None,
        batch_size=32,
        class_names=None,
        every_epoch=False,
    ):
        super().__init__()
        self.validation_data = validation_data
        self.output = output
        self.batch_size = batch_size
        self.class_names = class_names
        self.every_epoch = every_epoch
        self.table = None
        self._decide = None

    def on_train_begin(self, logs=None):
        """Compares before the first step, to find bad data then; called by Keras."""
        _check_model(self.model, self.output)
        self._decide = tf.function(self._decisions, reduce_retracing=True)
        self.table = self._compare()

    def on_epoch_end(self, epoch, logs=None):
        """Compares, if it is to be done after each epoch; called by Keras."""
        if self.every_epoch:
            self.table = self._compare()
            total = self.table.total
            logs["val_helped"] = total.helped / max(total.examples, 1)
            logs["val_hurt"] = total.hurt / max(total.examples, 1)

    def on_train_end(self, logs=None):
        """Compares; called by Keras."""
        self.table = self._compare()

    def _compare(self):
        data = batches(self.validation_data, self.batch_size, where=_WHERE)
        counts = [self._outcomes(batch) for batch in data]
        if not counts:
            raise invalid(_WHERE, "data", "none", "Pass at least one example.")
        num_classes = len(counts[0])
        names = self.class_names or list(map(str, range(num_classes)))
        if len(names) != num_classes:
            raise invalid(
                _WHERE,
                f"`class_names` for {num_classes} classes",
                f"{len(names)} names",
                "Pass a name for each class, in the order of the numbers.",
            )
        rows = zip(names, sum(counts).tolist(), strict=True)
        return ClassTable(tuple(ClassRow(name, *row) for name, row in rows))

    def _outcomes(self, batch):
        """How often each outcome is, int `(num_classes, 4)`, in the order of a row."""
        if not self.model.teacher.can_answer(batch.examples):
            raise invalid(
                _WHERE,
                "data for which the teacher can answer",
                "examples without the soft targets that were stored",
                "Give it the soft targets of these examples too.",
            )
        teacher_logits, student_logits, mask = (
            None if part is None else keras.ops.convert_to_numpy(part)
            for part in self._decide(batch.examples, batch.labels)
        )
        loss = part_of(self.model.loss, self.output)
        labels = np.asarray(part_of(batch.labels, self.output))
        head = part_of(self.model.head, self.output)
        activation = getattr(loss, "activation", None) or head.activation
        activation = "sigmoid" if activation == "sigmoid" else "softmax"
        ignored = getattr(loss, "ignore_class", None)
        labels = labels if ignored is None else np.where(labels == ignored, 0, labels)
        check_labels(labels, student_logits.shape, activation, where=_WHERE)
        return count_outcomes(
            labels,
            teacher_logits,
            student_logits,
            mask=mask,
            multi_label=activation == "sigmoid",
        )

    def _decisions(self, examples, labels):
        """The logits of teacher and student, and the mask of what counts."""
        distiller = self.model
        teacher = distiller.teacher.answer(examples).at_temperature(None)
        student = distiller.student_outputs(examples.inputs)
        student = counted(
            student, labels, distiller.loss, distiller.objective.others
        ).of(self.output)
        return teacher.of(self.output).logits, student.logits, student.mask


def _check_model(model, output):
    if not isinstance(model, Distiller):
        raise invalid(
            _WHERE,
            "a Distiller, whose teacher it compares",
            type(model).__name__,
            "Pass it to the `fit` of a Distiller.",
        )
    if isinstance(model.head, (dict, list, tuple)):
        names = (
            list(model.head) if isinstance(model.head, dict) else range(len(model.head))
        )
        check_choice(_WHERE, "output", output, list(names))
    elif output is not None:
        raise invalid(
            _WHERE,
            "no `output` for a student that has one",
            repr(output),
            "Leave it out.",
        )
