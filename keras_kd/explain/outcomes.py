"""Which examples and classes a teacher helped, and which it hurt."""

from dataclasses import dataclass

import numpy as np

from keras_kd.explain._arrays import classes_of, scores_of, two_or_more


@dataclass(frozen=True)
class ClassOutcomes:
    """How two models do on the examples of one class.

    Attributes:
        label: int, the class.
        both_right: int, examples that both decide right.
        both_wrong: int.
        helped: int, those that the distilled student alone decides right.
        hurt: int, those that the other alone decides right.

    Example:
        >>> ClassOutcomes(0, both_right=5, both_wrong=1, helped=3, hurt=1).examples
        10
    """

    label: int
    both_right: int
    both_wrong: int
    helped: int
    hurt: int

    @property
    def examples(self):
        """All of them, an int."""
        return self.both_right + self.both_wrong + self.helped + self.hurt


@dataclass(frozen=True)
class Outcomes:
    """Where the distilled student is right and another model wrong, and the reverse.

    The arrays of places are in the order of the data; their lengths are the counts.

    Attributes:
        against: "scratch", the student trained without a teacher; or "teacher", if no
            such student was given.
        both_right: int array, the places of the examples that both decide right.
        both_wrong: int array.
        helped: int array, those that the distilled student alone decides right.
        hurt: int array, those that the other alone decides right.
        teacher_right: bool `(n,)`, whether the teacher decides right.
        by_class: tuple of `ClassOutcomes`, one for each class in order.

    Example:
        >>> right, wrong = [5.0, 0.0], [0.0, 5.0]
        >>> found = outcomes([0, 0], [right, right], [right, right], [right, wrong])
        >>> found.helped.tolist(), found.counts
        ([1], (1, 0, 1, 0))
    """

    against: str
    both_right: np.ndarray
    both_wrong: np.ndarray
    helped: np.ndarray
    hurt: np.ndarray
    teacher_right: np.ndarray
    by_class: tuple

    @property
    def counts(self):
        """How many are both right, both wrong, helped and hurt: four ints."""
        arrays = self.both_right, self.both_wrong, self.helped, self.hurt
        return tuple(map(len, arrays))


def outcomes(labels, teacher_logits, student_logits, scratch_logits=None):
    """Which examples the teacher helped, and which it hurt.

    Args:
        labels: true classes `(n,)`, or one-hot.
        teacher_logits: float `(n, num_classes)`; one unit is the second of two classes.
        student_logits: the same shape, of the distilled student.
        scratch_logits: the same of the same student trained without the teacher, what
            it is compared with; None compares with the teacher instead, which says
            where the two differ, not what the teacher changed.

    Returns:
        `Outcomes`.

    Raises:
        ValueError: Shapes or classes do not fit, or a score is not finite.

    Example:
        >>> right, wrong = [5.0, 0.0], [0.0, 5.0]
        >>> outcomes([0, 0], [right, right], [right, wrong]).hurt.tolist()
        [1]
    """
    where = "outcomes"
    teacher = scores_of(where, "teacher_logits", teacher_logits)
    student = scores_of(where, "student_logits", student_logits, most_like=teacher)
    other, against = teacher, "teacher"
    if scratch_logits is not None:
        other = scores_of(where, "scratch_logits", scratch_logits, most_like=teacher)
        against = "scratch"
    num_classes = max(2, teacher.shape[1])
    labels = classes_of(where, labels, len(teacher), num_classes)
    ours, theirs = (_right(logits, labels) for logits in (student, other))
    groups = (ours & theirs, ~ours & ~theirs, ours & ~theirs, ~ours & theirs)
    counts = [np.bincount(labels[group], minlength=num_classes) for group in groups]
    return Outcomes(
        against,
        *map(np.flatnonzero, groups),
        _right(teacher, labels),
        tuple(
            ClassOutcomes(label, *(int(count[label]) for count in counts))
            for label in range(num_classes)
        ),
    )


def _right(logits, labels):
    return two_or_more(logits).argmax(axis=1) == labels
