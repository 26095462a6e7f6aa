"""The distillation losses of a distiller that was given none."""

import logging

import keras

from keras_kd._checks import invalid
from keras_kd._keras_internals import changing_parts
from keras_kd.distiller.hard_loss import name_of, output_shape
from keras_kd.distiller.readings import of_each_output
from keras_kd.losses import (
    LogitRegressionDistillation,
    MultiLabelDistillation,
    SoftTargetDistillation,
    schedules,
)
from keras_kd.outputs import Head

DEFAULT_TEMPERATURE = 4.0

_log = logging.getLogger("keras_kd")


class ChoosesLosses:
    """The part of `Distiller` that fits its losses to what `compile` says.

    What the loss on hard labels is about is known at `compile` only; before, the heads
    alone decide. Losses that the user gave are never changed.
    """

    _default_losses = None

    def _read_outputs(self, hard_loss):
        """Notes what the loss on hard labels, given or inferred, says of each output.

        Returns:
            A list of `OutputLoss`.

        Raises:
            ValueError: `teacher_agreement` is asked for where nothing is decided.
        """
        names = getattr(self.student, "output_names", None)
        parts = of_each_output(hard_loss, self.head, names)
        readings = {part.name: part.reading for part in parts}
        if self.objective.teacher_agreement and set(readings.values()) == {"linear"}:
            losses = ", ".join(f"{loss.name}_loss" for loss in self.objective.losses)
            raise invalid(
                "Distiller.compile",
                "outputs that decide between classes or on labels, for "
                "`teacher_agreement`",
                f"{name_of(parts[0].loss)}, which is about values",
                "Leave `teacher_agreement` out; how near the student's values are to "
                f"the teacher's is logged by the distillation losses: {losses}.",
            )
        self.objective.readings = readings
        return parts

    def _choose_losses(self, hard_loss):
        """Chooses the distillation losses anew, where they were left out."""
        if self._default_losses is None:
            return
        heads = [self.head] + ([] if self._teacher is None else [self._teacher.head])
        losses, weights = self._default_losses(heads=heads, hard_loss=hard_loss)
        names = [loss.name for loss in losses]
        _log.info(
            "Distiller: distillation_losses were left out; chosen by the heads%s: %s",
            "" if hard_loss is None else " and the loss of compile",
            ", ".join(names),
        )
        if names == [loss.name for loss in self.objective.losses]:
            return
        with self.distribute_strategy.scope(), changing_parts(self):
            self.objective.replace_losses(losses, weights)
            trackers = [
                self.objective.student_tracker,
                *self.objective.teacher_trackers,
            ]
            for own, new in (
                (self.distillation_losses, losses),
                (self._trackers, trackers),
            ):
                own.clear()
                own.extend(new)
        if self._teacher is not None and getattr(self.student, "inputs", None):
            self.build(self.student.input_shape)


def default_losses(temperature, student, heads, hard_loss):
    """The losses that fit the heads, and the loss on hard labels if it is known.

    Args:
        temperature: as given to `Distiller`, or None.
        student: the student model.
        heads: the `Head` of the student and, if there is one, of the teacher; or
            structures of them.
        hard_loss: as given to `compile`; None where it is inferred, or not known yet.

    Returns:
        A `DistillationLoss`; for several outputs a dict of them.

    Raises:
        ValueError: None fits, or it cannot be told which.
    """
    parts = of_each_output(hard_loss, heads[0], getattr(student, "output_names", None))
    if isinstance(heads[0], Head):
        return _default_loss(temperature, output_shape(student, None), heads, parts[0])
    if any(isinstance(head, Head) for head in heads):
        raise invalid(
            "Distiller",
            f"`distillation_losses` that say which of the student's outputs "
            f"{[part.name for part in parts]} learns from the teacher's only one",
            "none",
            f"Pass distillation_losses={{{parts[0].name!r}: "
            "SoftTargetDistillation(4.0)}, by a key, name or place of the outputs.",
        )
    # Names that the teacher has not are found when the losses are built.
    return {
        part.name: _default_loss(
            temperature,
            output_shape(student, part.name),
            [head[part.name] for head in heads if _has(head, part.name)],
            part,
        )
        for part in parts
    }


def _has(heads, name):
    if isinstance(heads, Head):
        return False
    return name in (heads if isinstance(heads, dict) else range(len(heads)))


def _default_loss(temperature, shape, heads, part):
    softening = DEFAULT_TEMPERATURE if temperature is None else temperature
    schedules.check_schedule("Distiller", "temperature", softening)
    kinds = {one.activation for head in heads for one in keras.tree.flatten(head)}
    if kinds >= {"softmax", "sigmoid"}:
        raise invalid(
            "Distiller",
            "teacher and student to have the same kind of head",
            "one that ends in softmax and one in sigmoid",
            "Give both the same, or choose the `distillation_losses` yourself.",
        )
    reading = _reading(part, kinds)
    if reading == "linear":
        _check_not_softened(temperature, part)
        return LogitRegressionDistillation()
    one_unit = shape and shape[-1] == 1
    if "sigmoid" in kinds or reading == "sigmoid" or one_unit:
        return MultiLabelDistillation(softening)
    return SoftTargetDistillation(softening)


def _reading(part, kinds):
    """How both models' outputs are read; None if the heads alone are to decide."""
    if part.loss is None or part.head.gives_probabilities:
        return None
    reading, probabilities = part.reading, kinds & {"softmax", "sigmoid"}
    if reading is None and not probabilities:
        raise invalid(
            "Distiller.compile",
            f"{_of(part)}`distillation_losses`, as it cannot be told whether "
            f"{name_of(part.loss)} is about classes, labels or values",
            "none",
            "Give Distiller(...) one: distillation_losses=SoftTargetDistillation(4.0) "
            "for classes that exclude each other, MultiLabelDistillation(4.0) for "
            "labels that do not, LogitRegressionDistillation() for values.",
        )
    wrong = {"linear": {"softmax", "sigmoid"}, "sigmoid": {"softmax"}}
    if probabilities & wrong.get(reading, set()):
        raise invalid(
            "Distiller.compile",
            f"{_of(part)}a teacher whose outputs are read like the student's, by "
            f"{name_of(part.loss)}",
            f"one that ends in {', '.join(probabilities)}",
            "Choose a teacher for the same task, or the `distillation_losses` "
            "yourself.",
        )
    return reading


def _check_not_softened(temperature, part):
    if temperature is not None:
        raise invalid(
            "Distiller.compile",
            f"{_of(part)}no `temperature`, as {name_of(part.loss)} is about values, "
            "which have none",
            f"temperature={temperature}",
            "Leave it out: the student then learns the teacher's values by least "
            "squares.",
        )


def _of(part):
    return "" if part.name is None else f"for output {part.name!r} "
