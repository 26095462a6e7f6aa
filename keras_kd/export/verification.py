"""How a .tflite file does on data, and how near it is to its Keras model."""

import dataclasses
import json
from dataclasses import dataclass

from keras_kd.export.flips import Flip
from keras_kd.export.layer_errors import LayerError
from keras_kd.export.per_class import ClassChange

# Below it a layer's error is that of float arithmetic.
_WORTH_SAYING = 0.001


@dataclass(frozen=True)
class Verification:
    """What `verify` found; `str` says the most of it in a few lines.

    Attributes:
        examples: int, how many were tried.
        accuracy: float in [0, 1], of the file.
        accuracy_ci95: `(low, high)`, Wilson's 95 % interval.
        keras_accuracy: float in [0, 1], of the Keras model on the same examples.
        keras_agreement: float in [0, 1], how often both choose the same class.
        max_abs_error: float, the largest difference between their outputs.
        flips: tuple of `Flip`, every example of which they choose different classes,
            those first that Keras was most certain of.
        classes: tuple of `ClassChange`, one for each class that has examples.
        layers: tuple of `LayerError`, in the order in which the file computes them.
        layers_missing: str, why there are no layers; None if there are.

    Example:
        >>> numbers = 100, 0.97, (0.915, 0.99), 0.98, 0.99, 0.25
        >>> print(Verification(*numbers))
        accuracy of the file         97.00 %, 95 % interval 91.50 to 99.00, n = 100
        accuracy of the Keras model  98.00 %
        same class as Keras          99.00 %, new errors: 0
        largest output difference    0.25
    """

    examples: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    keras_accuracy: float
    keras_agreement: float
    max_abs_error: float
    flips: tuple[Flip, ...] = ()
    classes: tuple[ClassChange, ...] = ()
    layers: tuple[LayerError, ...] = ()
    layers_missing: str | None = None

    @property
    def worst_layer(self):
        """The `LayerError` that adds the most; None where there are no layers."""
        return max(self.layers, key=lambda layer: layer.added, default=None)

    @property
    def worst_class(self):
        """The `ClassChange` that loses the most accuracy; None if none loses any."""
        worst = min(self.classes, key=lambda one: one.change, default=None)
        return worst if worst is not None and worst.change < 0 else None

    def to_json(self):
        """All of it as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def __str__(self):
        return "\n".join(f"{name:<27}  {value}" for name, value in self.lines())

    def lines(self):
        """What `str` says, as a list of `(name, value)`."""
        low, high = (100 * bound for bound in self.accuracy_ci95)
        new_errors = sum(flip.is_new_error for flip in self.flips)
        lines = [
            (
                "accuracy of the file",
                f"{_percent(self.accuracy)}, 95 % interval {low:.2f} to {high:.2f}, "
                f"n = {self.examples}",
            ),
            ("accuracy of the Keras model", _percent(self.keras_accuracy)),
            (
                "same class as Keras",
                f"{_percent(self.keras_agreement)}, new errors: {new_errors}",
            ),
            ("largest output difference", f"{self.max_abs_error:.4g}"),
        ]
        if (one := self.worst_class) is not None:
            change = _change(one.keras_accuracy, one.accuracy)
            lines.append(("class that loses most", f"{one.name}, {change}"))
        one = self.worst_layer
        if one is not None and one.added >= _WORTH_SAYING:
            change = _change(min(one.error, 1.0) - one.added, one.error)
            lines.append(("layer that adds most error", f"{one.layer}, {change}"))
        return lines


def _change(before, after):
    return f"from {_percent(before)} to {_percent(after)}"


def _percent(fraction):
    return f"{100 * fraction:.2f} %"
