"""Examples that a .tflite file decides otherwise than its Keras model."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from keras_kd.export.accuracy import decide


@dataclass(frozen=True)
class Flip:
    """An example of which file and Keras model choose different classes.

    Attributes:
        index: int, the example's place in the data.
        label: int, its true class.
        keras_class: int.
        file_class: int.
        keras_confidence: float in [0, 1], the probability of `keras_class` by Keras.
        file_confidence: float in [0, 1], that of `file_class` by the file.

    Example:
        >>> flip = Flip(7, 3, keras_class=3, file_class=5, keras_confidence=0.9,
        ...             file_confidence=0.6)
        >>> flip.is_new_error
        True
    """

    index: int
    label: int
    keras_class: int
    file_class: int
    keras_confidence: float
    file_confidence: float

    @property
    def is_new_error(self):
        """Whether Keras was right."""
        return self.keras_class == self.label


def find_flips(from_keras, from_file, labels, kind):
    """All flips, those first that Keras was most certain of.

    Args:
        from_keras: float `(n, num_classes)`, the Keras model's outputs.
        from_file: the same of the file.
        labels: int `(n,)`.
        kind: str, what the outputs are, see `Manifest.output_kind`.

    Returns:
        A tuple of `Flip`.

    Example:
        >>> by_keras, by_file = [[2.0, 0.0], [1.0, 0.0]], [[2.1, 0.0], [0.0, 1.0]]
        >>> find_flips(by_keras, by_file, [0, 0], "logits")[0].index
        1
    """
    theirs, ours = decide(from_keras, kind), decide(from_file, kind)
    certain = _confidence(from_keras, kind), _confidence(from_file, kind)
    flips = [
        Flip(
            int(index),
            int(labels[index]),
            int(theirs[index]),
            int(ours[index]),
            float(certain[0][index]),
            float(certain[1][index]),
        )
        for index in np.flatnonzero(theirs != ours)
    ]
    return tuple(sorted(flips, key=lambda flip: -flip.keras_confidence))


def _confidence(scores, kind):
    """The probability of the class that each row of scores stands for."""
    scores = np.asarray(scores, dtype="float64")
    if scores.shape[-1] == 1:
        yes = scores[:, 0] if kind == "sigmoid" else expit(scores[:, 0])
        return np.maximum(yes, 1.0 - yes)
    if kind not in ("softmax", "sigmoid"):
        scores = softmax(scores, axis=-1)
    return scores.max(axis=-1)
