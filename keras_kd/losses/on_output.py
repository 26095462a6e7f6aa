"""One output of models that have several, with a loss of its own."""

import keras

from keras_kd._checks import invalid
from keras_kd.losses.base import DistillationLoss


@keras.saving.register_keras_serializable(package="keras_kd")
class OnOutput(DistillationLoss):
    """Another loss, on one of several outputs of teacher and student.

    `Distiller` makes these of `distillation_losses={"colour": ..., "shape": ...}`.

    Args:
        loss: `DistillationLoss`.
        output: str or int, the output's key in a dict of outputs, or its place in a
            list. Of a model with a single output, it is that one.
        teacher_output: the teacher's output, if its key or place is another there.
        name: str, see `DistillationLoss`; by default the output and the loss's name.

    Attributes:
        published_weight: that of `loss`, like all other attributes of losses.

    Raises:
        ValueError: `loss` is none, or of an output itself; a model has no such output.

    Example:
        >>> from keras import ops
        >>> from keras_kd.losses import SoftTargetDistillation
        >>> from keras_kd.outputs import ModelOutputs
        >>> same, other = ops.array([[2.0, 0.0]]), ops.array([[0.0, 0.0]])
        >>> teacher = ModelOutputs({"colour": same, "shape": same})
        >>> student = ModelOutputs({"colour": same, "shape": other})
        >>> loss = OnOutput(SoftTargetDistillation(2.0), "shape")
        >>> loss.name, round(float(loss(teacher, student)[0]), 3)
        ('shape_soft_target', 0.444)
    """

    def __init__(self, loss, output, *, teacher_output=None, name=None):
        if not isinstance(loss, DistillationLoss) or loss.output is not None:
            raise invalid(
                "OnOutput",
                "`loss` to be a DistillationLoss that is about no output yet",
                type(loss).__name__,
                "Choose one such as SoftTargetDistillation().",
            )
        super().__init__(
            teacher_layers=loss.teacher_layers,
            student_layers=loss.student_layers,
            name=name or f"{_named(output)}_{loss.name}",
        )
        self.loss = loss
        self.output = output
        self.teacher_output = output if teacher_output is None else teacher_output
        self.published_weight = loss.published_weight
        self.needs_example_ids = loss.needs_example_ids
        self.compares_examples = loss.compares_examples

    @property
    def temperature(self):
        """That of `loss`."""
        return self.loss.temperature

    @temperature.setter
    def temperature(self, value):
        self.loss.temperature = value

    @property
    def temperature_now(self):
        """That of `loss`."""
        return self.loss.temperature_now

    def hold_temperature(self):
        """See `DistillationLoss.hold_temperature`."""
        self.loss.hold_temperature()

    def keep_temperature(self, why):
        """See `DistillationLoss.keep_temperature`."""
        self.loss.keep_temperature(why)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = self._of_output(teacher_shapes, student_shapes)
        # They may have been changed here, to try others.
        self.loss.teacher_layers = self.teacher_layers
        self.loss.student_layers = self.student_layers
        if not self.loss.built:
            self.loss.build(*shapes)

    def call(self, teacher, student, labels=None, example_ids=None, training=False):
        """See `DistillationLoss.call`; of the shape that `loss` gives.

        Teacher and student are those of all outputs; the labels, too, or this one's.
        """
        if labels is not None and keras.tree.is_nested(labels):
            labels = labels[self.output]
        return self.loss(
            *self._of_output(teacher, student),
            labels,
            example_ids=example_ids,
            training=training,
        )

    def _of_output(self, teacher, student):
        """Both models' `ModelOutputs` of the one output, or of the only one."""
        return (
            teacher.of(self.teacher_output) if teacher.names else teacher,
            student.of(self.output) if student.names else student,
        )

    def at_step(self, iterations):
        """See `DistillationLoss.at_step`; for the schedules of `loss`."""
        self.loss.at_step(iterations)
        return super().at_step(iterations)

    def check_example_ids(self, ids):
        """See `DistillationLoss.check_example_ids`."""
        self.loss.check_example_ids(ids)

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {
            **super().get_config(),
            "loss": loss,
            "output": self.output,
            "teacher_output": self.teacher_output,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _named(output):
    return f"output_{output}" if isinstance(output, int) else output
