"""What a .tflite file changes for each class."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassChange:
    """How file and Keras model do on the examples of one class.

    Attributes:
        name: str, the class, by its name where the file has labels.
        examples: int > 0.
        keras_accuracy: float in [0, 1].
        accuracy: float in [0, 1], of the file.
        flips: int, examples of which the two choose different classes.

    Example:
        >>> change = ClassChange("cat", 10, keras_accuracy=0.9, accuracy=0.7, flips=3)
        >>> round(change.change, 3)
        -0.2
    """

    name: str
    examples: int
    keras_accuracy: float
    accuracy: float
    flips: int

    @property
    def change(self):
        """Accuracy of the file less that of Keras, a float."""
        return self.accuracy - self.keras_accuracy


def class_changes(keras_classes, file_classes, labels, names=None):
    """One `ClassChange` for each class that has examples.

    Args:
        keras_classes: int `(n,)`, what the Keras model chose.
        file_classes: the same of the file.
        labels: int `(n,)`, the true classes.
        names: None, or the names of all classes in order.

    Returns:
        A tuple of `ClassChange`, in the order of the class numbers.

    Example:
        >>> class_changes([0, 0, 2], [0, 2, 2], [0, 0, 2])[0]
        ClassChange(name='0', examples=2, keras_accuracy=1.0, accuracy=0.5, flips=1)
    """
    theirs, ours, labels = map(np.asarray, (keras_classes, file_classes, labels))
    changes = []
    for number in np.unique(labels):
        own = labels == number
        changes.append(
            ClassChange(
                names[number] if names and number < len(names) else str(number),
                int(own.sum()),
                float(np.mean(theirs[own] == number)),
                float(np.mean(ours[own] == number)),
                int(np.sum(theirs[own] != ours[own])),
            )
        )
    return tuple(changes)
