"""Teachers that do not run: their answers lie beside the inputs."""

import abc

from keras_kd._checks import invalid
from keras_kd.teachers.base import Teacher


class AttachedTeacher(Teacher):
    """A teacher whose answer for each example is in `Examples.soft_targets`.

    Data without them can be evaluated on: then the hard labels count alone.
    """

    @abc.abstractmethod
    def attach(self, x):
        """The data with the answers beside them, as `Distiller.fit` takes it."""

    @abc.abstractmethod
    def _answered(self, targets):
        """`ModelOutputs` of a batch's soft targets, `(batch, ..., num_classes)`."""

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`: inputs alone are no question it could answer."""
        raise self._unanswerable()

    def answer(self, examples, *, layers=()):
        """See `Teacher`."""
        self.check_layers(layers)
        if not self.can_answer(examples):
            raise self._unanswerable()
        return self._answered(examples.soft_targets)

    def can_answer(self, examples):
        """See `Teacher`: those that have soft targets."""
        return not isinstance(examples.soft_targets, tuple)

    def check_layers(self, paths):
        """See `Teacher`: of a teacher's layers nothing is there."""
        if paths:
            raise invalid(
                type(self).__name__,
                "losses on logits alone",
                f"one on the teacher's layers {', '.join(map(repr, paths))}",
                "Train with the teacher itself, or choose a loss on logits.",
            )

    def check(self, where, student):
        """See `Teacher`: the losses compare the classes, and it takes no inputs."""

    def _unanswerable(self):
        return invalid(
            type(self).__name__,
            "examples with their soft targets",
            "inputs alone",
            "Train on soft.attach(...), where soft is this teacher.",
        )
