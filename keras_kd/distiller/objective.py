"""What a distiller minimises, and what it logs of it."""

import keras
from keras import ops

from keras_kd._checks import check_fraction, check_not_negative, invalid
from keras_kd.data import Examples
from keras_kd.distiller.batch import agreement, batch_mean, batch_size
from keras_kd.distiller.distributed import of_all_replicas
from keras_kd.distiller.entries import part_of
from keras_kd.distiller.terms import metric_names
from keras_kd.losses import MultiLabelDistillation, schedules
from keras_kd.losses.changing import Number
from keras_kd.outputs import EnsembleOutputs


class Objective:
    """α · hard + (1 - α) · Σ wᵢ · softᵢ + the student's regularisation losses.

    Args:
        losses: list of `DistillationLoss`.
        weights: a number or schedule for each.
        alpha: number or schedule, the weight of the hard labels.
        teacher_agreement: bool, whether to log it.
        others: what `other_keys` gives of the student.

    Attributes:
        student_tracker: `keras.metrics.Mean` of the loss on hard labels.
        teacher_trackers: those of the terms that need a teacher.
        told: those trackers of which the last call, or graph, told a value.
        readings: dict of each output's name, None for the only one, to how it is read:
            see `keras_kd.distiller.readings.reading`; empty before `compile`.
    """

    def __init__(self, losses, weights, alpha, teacher_agreement, others):
        self._alpha = Number("Distiller", "alpha", alpha, check_fraction)
        self._alpha.hold()
        self.teacher_agreement = teacher_agreement
        self.others = others
        self.student_tracker = keras.metrics.Mean("student_loss")
        self.replace_losses(losses, weights)
        self.told = []
        self.readings = {}

    def replace_losses(self, losses, weights):
        """Takes other losses, each logged by its own name."""
        self.losses = losses
        name = "distillation_loss_weights"
        self._weights = [
            Number("Distiller", name, weight, check_not_negative) for weight in weights
        ]
        for weight in self._weights:
            weight.hold()
        for loss in losses:
            loss.hold_temperature()
        names = metric_names(losses) + ["teacher_agreement"] * self.teacher_agreement
        self.teacher_trackers = [keras.metrics.Mean(name) for name in names]

    @property
    def numbers(self):
        """Dict of the `Number`s by the names under which they are saved."""
        weights = {f"weight_{n}": each for n, each in enumerate(self._weights)}
        return {"alpha": self._alpha, **weights}

    @property
    def alpha(self):
        """The weight of the hard labels: a number, which can be set; or a schedule."""
        return self._alpha.value

    @alpha.setter
    def alpha(self, value):
        self._alpha.set(value)

    @property
    def weights(self):
        """The weights of the losses, a list; each of its entries can be set."""
        return _Weights(self._weights)

    @weights.setter
    def weights(self, values):
        if not isinstance(values, (list, tuple)) or len(values) != len(self.losses):
            raise invalid(
                "Distiller",
                f"`distillation_loss_weights` as a list of {len(self.losses)}",
                repr(values),
                "Give a number for each of the distillation losses.",
            )
        for number, value in zip(self._weights, values, strict=True):
            number.set(value)

    @property
    def needs_labels(self):
        """Whether the hard labels have, or may get, a weight."""
        return schedules.is_schedule(self.alpha) or self.alpha != 0

    def __call__(
        self,
        *,
        hard,
        teacher,
        student,
        batch,
        regularisation,
        step,
        training,
    ):
        """The total for one batch; updates the trackers.

        Args:
            hard: scalar, the loss on hard labels; None for unlabelled data.
            teacher: `ModelOutputs` or `EnsembleOutputs`, or None: then the hard labels
                count alone.
            student: `ModelOutputs`.
            batch: the `Batch`.
            regularisation: list of scalars, added as they are.
            step: the optimizer's step count, for schedules.
            training: bool, for the layers inside the losses.

        Returns:
            A float32 scalar.
        """
        alpha = 1.0 if teacher is None else self._alpha.at(step)
        total = ops.cast(sum(ops.sum(loss) for loss in regularisation), "float32")
        logged = []
        if hard is not None:
            total += alpha * hard
            logged.append((self.student_tracker, hard))
        if teacher is not None:
            terms = zip(self.losses, self._weights, self.teacher_trackers, strict=False)
            for loss, weight, tracker in terms:
                if loss.needs_example_ids and not training:
                    continue
                loss.at_step(step)
                value = self._value(loss, teacher, student, batch, training)
                total += (1.0 - alpha) * weight.at(step) * value
                logged.append((tracker, value))
            if self.teacher_agreement:
                same = agreement(self._as_decided_by(teacher), student, self.readings)
                logged.append((self.teacher_trackers[-1], same))
        examples = batch_size(student)
        self.told = [tracker for tracker, _ in logged]
        for tracker, value in logged:
            # A replica may have no examples, of which the mean is not a number.
            value = ops.where(examples > 0, value, 0.0)
            tracker.update_state(value, sample_weight=examples)
        return total

    def _value(self, loss, teacher, student, batch, training):
        """The mean of one loss over a batch, a scalar."""
        of_teacher = self._as_seen_by(loss, teacher)
        if loss.compares_examples:
            of_teacher = _read_by(of_teacher, loss.teacher_layers)
            student = _read_by(student, loss.student_layers)
            batch = batch._replace(examples=Examples(None, batch.example_ids))
            of_teacher, student, batch = of_all_replicas((of_teacher, student, batch))
        labels = batch.labels
        if loss.output is not None:
            labels = part_of(labels, loss.output, self.others)
        values = loss(
            of_teacher,
            student,
            labels,
            example_ids=batch.example_ids,
            training=training,
        )
        return batch_mean(
            values,
            part_of(batch.sample_weight, loss.output, self.others),
            part_of(student.mask, loss.output),
            where=type(loss).__name__,
        )

    def _as_decided_by(self, teacher):
        """The teacher's `ModelOutputs` whose logits have the sign of its decisions."""
        of_labels = self.readings.get(None) == "sigmoid"
        if of_labels and isinstance(teacher, EnsembleOutputs):
            return teacher.at_temperature(1.0, "sigmoid")
        return teacher

    def _as_seen_by(self, loss, teacher):
        """The teacher's `ModelOutputs` for one loss: of an ensemble, as it reads it."""
        whole = self.readings.get(None)
        of_values = self.readings.get(loss.output, whole) == "linear"
        if loss.temperature is None and of_values:
            return teacher.at_temperature(None, "linear")
        many = isinstance(loss, MultiLabelDistillation)
        temperature = loss.temperature_now
        if teacher.is_of_one_temperature:
            why = "The soft targets were stored at it: label once more."
            loss.keep_temperature(why)
            temperature = loss.temperature
        return teacher.at_temperature(temperature, "sigmoid" if many else "softmax")


def _read_by(outputs, layers):
    """`ModelOutputs` with the features of these layers only."""
    return outputs._replace(features={path: outputs.features[path] for path in layers})


class _Weights(list):
    """Weights as a list; to set an entry is to set it for the steps to come."""

    def __init__(self, numbers):
        super().__init__(number.value for number in numbers)
        self._numbers = numbers

    def __setitem__(self, place, value):
        self._numbers[place].set(value)
        super().__setitem__(place, value)
