"""Whether a student will run where it is meant to, asked before it is trained."""

from dataclasses import dataclass

import keras

from keras_kd._checks import check_choice, invalid
from keras_kd.export import _trial
from keras_kd.export._targets import TARGETS, Problem, findings
from keras_kd.export.inspect import Inspection
from keras_kd.outputs import check_weights

WHERE = "keras_kd.export.check_deployable"


@dataclass(frozen=True)
class Deployability:
    """What keeps a student from running on a target.

    Attributes:
        target: str, see `check_deployable`.
        ram_bytes: int or None, see there.
        problems: tuple of `Problem`: what will not run there.
        remarks: tuple of `Problem`: what runs there, but slowly or not in every
            precision.
        inspection: the `Inspection` of the file that was made for the answer, of
            float32 for "mobile" and "browser", int8 for "microcontroller"; None if none
            could be made.
    """

    target: str
    ram_bytes: int | None
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...]
    inspection: Inspection | None

    @property
    def ok(self):
        """Whether the student will run there."""
        return not self.problems

    def raise_if_not_ok(self):
        """Raises an error that lists the problems, a line each, if there are any."""
        if self.problems:
            listed = "".join(f"\n- {problem}" for problem in self.problems)
            raise invalid(
                WHERE,
                f"a student that runs on the target {self.target}",
                f"{len(self.problems)} problem(s):{listed}\n",
                "Change the student before it is trained.",
            )


def check_deployable(student, *, target, ram_bytes=None):
    """Says by layer what of a student will not run on a target, before it is trained.

    The student is converted as it is, in a second or some, in a process of its own.

    Args:
        student: a built `keras.Model`, trained or not; it is not changed.
        target: where the file shall run:

            - "mobile": LiteRT on phones and boards;
            - "browser": LiteRT.js, which takes float32, int32 and uint8 inputs;
              convert with `float_io=True` for integer precisions;
            - "microcontroller": TensorFlow Lite Micro, all in int8.
        ram_bytes: None, or int: what a microcontroller has for the arena. It is
            compared with `Inspection.micro_arena_bytes`.

    Returns:
        A `Deployability`; `.ok` tells, `.raise_if_not_ok()` stops.

    Raises:
        ValueError: An argument cannot be used. Problems of the student do not raise.

    Example:
        >>> import keras
        >>> from keras import layers
        >>> student = keras.Sequential(
        ...     [keras.Input((28, 28)), layers.LSTM(8, name="reader"), layers.Dense(10)]
        ... )
        >>> answer = check_deployable(student, target="microcontroller")
        >>> answer.ok, answer.problems[0].layer, answer.problems[0].operation
        (False, 'reader', 'WHILE')
    """
    check_choice(WHERE, "target", target, TARGETS)
    _check_student(student)
    _check_ram(ram_bytes, target)
    problems, source = _trial.source_of(student)
    remarks, inspection = (), None
    if source is not None:
        inspection, problems = _trial.try_to_convert(source, target)
    if inspection is not None:
        more, remarks = findings(inspection, target, ram_bytes)
        problems += more
    return Deployability(target, ram_bytes, tuple(problems), tuple(remarks), inspection)


def _check_student(student):
    if not isinstance(student, keras.Model):
        raise invalid(
            WHERE, "a keras.Model", type(student).__name__, "Load it with load_model."
        )
    if not student.built:
        raise invalid(
            WHERE,
            "a built model",
            f'"{student.name}", which has no weights yet',
            "Begin it with keras.Input(shape), or call it once on an example.",
        )
    check_weights(WHERE, student, "student")


def _check_ram(ram_bytes, target):
    if ram_bytes is None:
        return
    is_count = isinstance(ram_bytes, int) and not isinstance(ram_bytes, bool)
    if not is_count or ram_bytes <= 0:
        raise invalid(
            WHERE,
            "`ram_bytes` as a whole number above 0",
            repr(ram_bytes),
            "Say 65536.",
        )
    if target != "microcontroller":
        raise invalid(
            WHERE,
            'target="microcontroller" with `ram_bytes`',
            f'"{target}"',
            "Leave `ram_bytes` out.",
        )
