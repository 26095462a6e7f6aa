"""Several teachers as one."""

import functools
import hashlib
import math
import random

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_kd._checks import check_choice, invalid, is_number
from keras_kd.data import Examples
from keras_kd.outputs import (
    EnsembleOutputs,
    Head,
    ModelOutputs,
    mean_of_probabilities,
)
from keras_kd.teachers.base import Teacher, check_one_output
from keras_kd.teachers.frozen import FrozenTeacher

AVERAGES = ("probabilities", "logits")
# Members are drawn for so many steps; then the draws begin anew.
DRAWS = 2**14


class Ensemble(Teacher):
    """Several teachers whose answers are averaged, or drawn from, as one.

    `Distiller([model, model], student)` makes one; make it yourself to say more. Each
    member has its own preprocessing and head, and runs once in a step, whatever the
    number of losses. Losses on layers need a single teacher.

    With `average="probabilities"` a loss that softens logits by a temperature T sees
    Σ wᵢ · softmax(zᵢ / T), or Σ wᵢ · sigmoid(zᵢ / T) in `MultiLabelDistillation`, at
    the T of that very loss and step, however many losses there are. What else a loss
    makes of the teacher's logits it makes of those for its T:

    - T = 1, the plain mean of probabilities, for losses without a temperature
      (`LogitRegressionDistillation`, `SpectralDistillation`) and for
      `StandardizedDistillation`, whose own scale comes after the mean.
    - Losses with further temperatures are exact at their `temperature` alone:
      `MultiLevelDistillation` not at its fixed four; `DynamicTemperatureDistillation`
      in Hinton's part; `NormalizedDistillation` among the other classes, and
      `WeightedSoftLabelDistillation` and the weighted `TransformedTeacherDistillation`
      up to their weights, which are at T = 1.
    - The temperature that `CurriculumTemperatureDistillation` trains has the gradient
      of one teacher with these logits.

    With `average="logits"` every loss sees Σ wᵢ · zᵢ and nothing needs saying.

    Args:
        models: list of built Keras models and of `Teacher`s, mixed as you like; but no
            ensembles, stored soft targets or `MeanTeacher`s.
        weights: a number >= 0 for each, not all 0; they are divided by their sum, and a
            member of weight 0 never runs. Default: all equal.
        average: "probabilities" or "logits". Default "probabilities".
        one_per_batch: bool; True has one member, drawn by the weights, teach each batch
            in training, at the cost of that member. Evaluation uses the mean.
        seed: int >= 0, for the draws, which follow from it and the step alone, so that
            training that goes on after a break goes on with them. Default: a random
            one; see `keras.utils.set_random_seed`.

    Attributes:
        members: tuple of `Teacher`, one for each of `models`.
        weights: tuple of floats, their sum 1.

    Raises:
        ValueError: There are no models, or one cannot be a member; the weights cannot
            be used; some heads are softmax and some sigmoid; the members score
            different classes.

    Reference:
        Mean of softened probabilities: Hinton et al., 2015,
        https://arxiv.org/abs/1503.02531. `one_per_batch`: Fukuda et al., "Efficient
        Knowledge Distillation from an Ensemble of Teachers", Interspeech 2017,
        https://doi.org/10.21437/Interspeech.2017-614 (switching teachers by minibatch).
        Departures: none.

    Example:
        >>> def model():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> halved = FrozenTeacher(model(), preprocessing=lambda x: x / 2)
        >>> ensemble = Ensemble([model(), halved], weights=[3, 1])
        >>> ensemble.weights
        (0.75, 0.25)
        >>> tuple(ensemble(np.ones((2, 4), "float32")).logits.shape)
        (2, 3)
    """

    def __init__(
        self,
        models,
        weights=None,
        *,
        average="probabilities",
        one_per_batch=False,
        seed=None,
    ):
        check_choice("Ensemble", "average", average, AVERAGES)
        if not isinstance(models, (list, tuple)) or not models:
            raise invalid(
                "Ensemble",
                "a list of models",
                f"{models!r}",
                "Pass the models in a list: Ensemble([teacher_1, teacher_2]).",
            )
        self.members = tuple(_as_member(model) for model in models)
        self.weights = _normalised(weights, len(models))
        self._average = average
        self._one_per_batch = bool(one_per_batch)
        weighted = zip(self.members, self.weights, strict=True)
        self._running = [member for member, weight in weighted if weight > 0]
        self._running_weights = [weight for weight in self.weights if weight > 0]
        # By NumPy, for the random numbers of TensorFlow are others under XLA.
        generator = np.random.default_rng(_as_seed(seed))
        draws = generator.choice(len(self._running), DRAWS, p=self._running_weights)
        self._draws = draws.astype("int32")
        self._head = _common_head(self.members)
        _check_same_classes([m.num_classes for m in self.members])

    @property
    def head(self):
        """See `Teacher`: of the kind that the members have in common."""
        return self._head

    @property
    def compilable(self):
        """See `Teacher`."""
        return all(member.compilable for member in self._running)

    @property
    def num_classes(self):
        """See `Teacher`."""
        known = [member.num_classes for member in self.members]
        return next(filter(None, known), None)

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`: the mean of the members, each of which runs once."""
        self.check_layers(layers)
        logits = [member(inputs).logits for member in self._running]
        _check_same_classes([tuple(z.shape[1:]) for z in logits])
        weights = ops.array(self._running_weights, "float32")
        stacked = ops.stack(logits)
        if self._average == "logits":
            return ModelOutputs(ops.tensordot(weights, stacked, axes=1))
        is_sigmoid = self._head.activation == "sigmoid" or stacked.shape[-1] == 1
        mean = mean_of_probabilities(
            stacked, weights, activation="sigmoid" if is_sigmoid else "softmax"
        )
        return EnsembleOutputs(mean, {}, stacked, weights)

    def teach(self, examples, step, *, layers=()):
        """See `Teacher`: with `one_per_batch`, the answer of the member drawn."""
        if not self._one_per_batch:
            return self.answer(examples, layers=layers)
        self.check_layers(layers)
        branches = [
            functools.partial(_logits_of, member, examples.inputs)
            for member in self._running
        ]
        return ModelOutputs(tf.switch_case(self._drawn(step), branches))

    @property
    def fingerprint(self):
        """SHA-256 over the members in any order, their weights and the settings."""
        digest = hashlib.sha256(f"{self._average}{self._one_per_batch}".encode())
        members = [member.fingerprint for member in self._running]
        for member, weight in sorted(zip(members, self._running_weights, strict=True)):
            digest.update(f" {member} {weight:.9g}".encode())
        return digest.hexdigest()

    def check_layers(self, paths):
        """See `Teacher`: an ensemble has none."""
        if paths:
            raise invalid(
                "Ensemble",
                "losses on logits alone",
                f"one on the teacher's layers {', '.join(map(repr, paths))}",
                "Layers of different models have no mean: take a single teacher, or a "
                "loss on logits.",
            )

    def needs_more_than(self, inputs):
        """See `Teacher`: any member."""
        return any(member.needs_more_than(inputs) for member in self.members)

    def check(self, where, student):
        """See `Teacher`: each member."""
        for number, member in enumerate(self.members, start=1):
            member.check(f"{where}, member {number} of the ensemble", student)

    def check_answer(self, where, examples):
        """See `Teacher`: each member, as a mean could hide what is wrong with one."""
        for number, member in enumerate(self.members, start=1):
            member.check_answer(f"{where}, member {number} of the ensemble", examples)

    def _drawn(self, step):
        """The number of the running member that teaches at a step."""
        step = tf.cast(ops.convert_to_tensor(step), "int64")
        return tf.gather(tf.constant(self._draws), step % len(self._draws))


def _logits_of(member, inputs):
    return member(inputs).logits


def _as_member(model):
    if isinstance(model, keras.Model):
        model = FrozenTeacher(model)
    if isinstance(model, Ensemble):
        raise invalid(
            "Ensemble",
            "single teachers as members",
            "an Ensemble among them",
            "Name its members instead, with the product of both weights.",
        )
    # One with a state learns along with the student; others need soft targets, of which
    # a batch holds one kind.
    usable = isinstance(model, Teacher) and model.state is None
    if usable and model.can_answer(Examples(())):
        check_one_output("Ensemble", model)
        return model
    raise invalid(
        "Ensemble",
        "Keras models, and trained teachers that answer inputs, such as FrozenTeacher",
        type(model).__name__,
        "Make an ensemble of the models themselves.",
    )


def _normalised(weights, count):
    weights = [1.0] * count if weights is None else np.atleast_1d(weights).tolist()
    usable = all(is_number(weight) and weight >= 0 for weight in weights)
    if len(weights) != count or not usable or not 0 < sum(weights) < math.inf:
        raise invalid(
            "Ensemble",
            f"{count} weights, numbers of at least 0 and not all 0",
            weights,
            "Give one weight for each model, or leave them out for equal ones.",
        )
    return tuple(float(weight / sum(weights)) for weight in weights)


def _as_seed(seed):
    if seed is None:
        return random.randrange(2**31)
    if is_number(seed) and seed == int(seed) and seed >= 0:
        return int(seed)
    raise invalid(
        "Ensemble",
        "`seed` to be an integer of at least 0",
        repr(seed),
        "Choose one such as 0, or leave it out.",
    )


def _common_head(members):
    kinds = [member.head.activation for member in members]
    if {"softmax", "sigmoid"} <= set(kinds):
        one, other = kinds.index("softmax"), kinds.index("sigmoid")
        raise invalid(
            "Ensemble",
            "members that end alike",
            f"a softmax in member {one + 1} and a sigmoid in member {other + 1}",
            "Their probabilities mean different things: choose models of one kind.",
        )
    # What one member tells holds for those that give logits or are not recognised.
    kind = next(k for k in ("softmax", "sigmoid", "linear", "unknown") if k in kinds)
    return Head(kind)


def _check_same_classes(classes):
    """Raises if `classes`, one entry a member and None where unknown, differ."""
    known = [(n, c) for n, c in enumerate(classes, start=1) if c is not None]
    for number, other in known[1:]:
        if other != known[0][1]:
            raise invalid(
                "Ensemble",
                "members that score the same classes",
                f"{known[0][1]} in member {known[0][0]} and {other} in member {number}",
                "Give all models a head for the same classes in the same order.",
            )
