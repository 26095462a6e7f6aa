"""What a distiller minimises, and what it logs of it."""

import keras
from keras import ops

from keras_kd.distiller.batch import agreement, batch_mean, batch_size, part_of
from keras_kd.distiller.terms import metric_names
from keras_kd.losses import MultiLabelDistillation, schedules
from keras_kd.outputs import EnsembleOutputs


class Objective:
    """α · hard + (1 - α) · Σ wᵢ · softᵢ + the student's regularisation losses.

    Args:
        losses: list of `DistillationLoss`.
        weights: a number or schedule for each.
        alpha: number or schedule, the weight of the hard labels.
        teacher_agreement: bool, whether to log it.

    Attributes:
        student_tracker: `keras.metrics.Mean` of the loss on hard labels.
        teacher_trackers: those of the terms that need a teacher.
        told: those trackers of which the last call, or graph, told a value.
        readings: dict of each output's name, None for the only one, to how it is read:
            see `keras_kd.distiller.readings.reading`; empty before `compile`.
    """

    def __init__(self, losses, weights, alpha, teacher_agreement):
        self.alpha = alpha
        self.teacher_agreement = teacher_agreement
        self.student_tracker = keras.metrics.Mean("student_loss")
        self.replace_losses(losses, weights)
        self.told = []
        self.readings = {}

    def replace_losses(self, losses, weights):
        """Takes other losses, each logged by its own name."""
        self.losses = losses
        self.weights = weights
        names = metric_names(losses) + ["teacher_agreement"] * self.teacher_agreement
        self.teacher_trackers = [keras.metrics.Mean(name) for name in names]

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
        alpha = 1.0 if teacher is None else schedules.value_at(self.alpha, step)
        total = ops.cast(sum(ops.sum(loss) for loss in regularisation), "float32")
        logged = []
        if hard is not None:
            total += alpha * hard
            logged.append((self.student_tracker, hard))
        if teacher is not None:
            terms = zip(self.losses, self.weights, self.teacher_trackers, strict=False)
            for loss, weight, tracker in terms:
                if loss.needs_example_ids and not training:
                    continue
                loss.at_step(step)
                values = loss(
                    self._as_seen_by(loss, teacher),
                    student,
                    batch.labels,
                    example_ids=batch.example_ids,
                    training=training,
                )
                value = batch_mean(
                    values,
                    part_of(batch.sample_weight, loss.output),
                    part_of(student.mask, loss.output),
                    where=type(loss).__name__,
                )
                total += (1.0 - alpha) * schedules.value_at(weight, step) * value
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

    def _as_decided_by(self, teacher):
        """The teacher's `ModelOutputs` whose logits have the sign of its decisions."""
        of_labels = self.readings.get(None) == "sigmoid"
        if of_labels and isinstance(teacher, EnsembleOutputs):
            return teacher.at_temperature(1.0, "sigmoid")
        return teacher

    def _as_seen_by(self, loss, teacher):
        """The teacher's `ModelOutputs` for one loss: of an ensemble, as it reads it."""
        of_values = self.readings.get(loss.output) == "linear"
        if loss.temperature is None and of_values:
            return teacher.at_temperature(None, "linear")
        many = isinstance(loss, MultiLabelDistillation)
        return teacher.at_temperature(
            schedules.value_at(loss.temperature, loss.iterations),
            "sigmoid" if many else "softmax",
        )
