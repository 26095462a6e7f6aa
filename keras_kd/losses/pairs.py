"""The base of losses that compare layers of the teacher with layers of the student."""

from keras_kd._checks import invalid
from keras_kd.losses.base import DistillationLoss


class LayerPairLoss(DistillationLoss):
    """A loss over pairs of layers: one of the teacher with one of the student each.

    Args:
        teacher_layers: a path, or a list of paths, of the teacher's layers.
        student_layers: as many of the student's.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: Not as many layers of one as of the other, or none.

    Example:
        >>> from keras import ops
        >>> class Gap(LayerPairLoss):
        ...     def call(self, teacher, student, labels=None):
        ...         pairs = self.pairs(teacher.features, student.features)
        ...         return sum(ops.mean(ops.abs(t - s)) for t, s in pairs)
        >>> Gap("block_2", "conv").teacher_layers
        ('block_2',)
    """

    def __init__(self, teacher_layers, student_layers, *, name=None):
        super().__init__(
            teacher_layers=teacher_layers, student_layers=student_layers, name=name
        )
        counts = len(self.teacher_layers), len(self.student_layers)
        if counts[0] != counts[1] or not counts[0]:
            raise invalid(
                type(self).__name__,
                "as many teacher_layers as student_layers, at least one",
                f"{counts[0]} and {counts[1]}",
                "Name the layers that belong together, in the same order.",
            )

    def pairs(self, teacher_features, student_features):
        """Features, or their shapes, in pairs.

        Args:
            teacher_features: dict of path to tensor or shape.
            student_features: the same of the student.

        Returns:
            A list of `(of_teacher, of_student)` in the order of the layers.
        """
        return [
            (teacher_features[ours], student_features[theirs])
            for ours, theirs in zip(
                self.teacher_layers, self.student_layers, strict=True
            )
        ]

    def pair_error(self, number, what, teacher_shape, student_shape, fix):
        """The error for a pair of layers whose shapes do not fit.

        Args:
            number: int, which pair.
            what: str, what must agree, such as "the height and width".
            teacher_shape: tuple, with the batch axis.
            student_shape: tuple, with the batch axis.
            fix: str, one sentence.

        Returns:
            An `InvalidInputError` that names both layers.
        """
        return invalid(
            type(self).__name__,
            f'student layer "{self.student_layers[number]}" to have {what} of teacher '
            f'layer "{self.teacher_layers[number]}", {tuple(teacher_shape[1:])}',
            tuple(student_shape[1:]),
            fix,
        )

    def layers_error(self, number, wanted, teacher_shape, student_shape, fix):
        """The error for a pair of layers of which one, or each, gives the wrong thing.

        Unlike `pair_error` it does not hold up the teacher as the example.

        Args:
            number: int, which pair.
            wanted: str, what both layers should give.
            teacher_shape: tuple, with the batch axis.
            student_shape: tuple, with the batch axis.
            fix: str, one sentence.

        Returns:
            An `InvalidInputError` that names both layers.
        """
        return invalid(
            type(self).__name__,
            f'teacher layer "{self.teacher_layers[number]}" and student layer '
            f'"{self.student_layers[number]}" to give {wanted}',
            f"{tuple(teacher_shape[1:])} and {tuple(student_shape[1:])}",
            fix,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "teacher_layers": list(self.teacher_layers),
            "student_layers": list(self.student_layers),
        }
