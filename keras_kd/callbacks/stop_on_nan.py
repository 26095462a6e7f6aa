"""Stops training that has diverged, and says where and by which term."""

import math

import keras
from keras import ops

from keras_kd._checks import invalid

_STEP_OR_DATA = (
    "Either the step before made the weights so (lower the learning rate, or clip the "
    "gradients by the optimizer's global_clipnorm), or the batch itself holds such "
    "values."
)
_ONE_TERM = (
    "Look at what that term alone is given: the labels for student_loss, the teacher's "
    "answer or a layer's output for a distillation loss."
)
_NO_TERM = (
    "Look at what is in the total and not logged by itself: regularisation losses of "
    "the student, and schedules of alpha and of the weights of losses."
)
_FEWER_STEPS = (
    "Run with steps_per_execution=1 to learn which of these batches and which term "
    "was the first."
)


class StopOnNaN(keras.callbacks.Callback):
    """Ends `fit` with an error as soon as the loss is NaN or infinite.

    `keras.callbacks.TerminateOnNaN` stops too, but names no cause. This one names
    epoch, batch and the terms of the loss that were not finite, by the names under
    which they are logged; both numbers count from 1, as in Keras's progress bar. Keras
    logs means over the epoch so far, in which such a value stays: so it is the first
    batch. With `steps_per_execution` of more than 1 Keras logs once for all of these
    steps, and the error names the range of batches.

    At the end of each epoch the weights are looked at as well: the last step of an
    epoch shows in no loss, and moving statistics do not until `evaluate`.

    For every Keras model. First in the list of callbacks, none after it writes an epoch
    that has diverged.

    Args:
        check_weights: bool, whether to look at all weights at the end of each epoch.

    Raises:
        ValueError: In `fit`, when the loss or a weight is NaN or infinite.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.zeros((3, 2)), np.array([[0.0], [np.inf], [0.0]])
        >>> fit = dict(batch_size=1, shuffle=False, verbose=0, callbacks=[StopOnNaN()])
        >>> try:
        ...     _ = model.fit(x, y, **fit)
        ... except ValueError as error:
        ...     print(str(error)[:68])
        StopOnNaN: expected a finite loss, got loss=inf in epoch 1, batch 2.
    """

    def __init__(self, *, check_weights=True):
        super().__init__()
        self.check_weights = check_weights
        self._epoch = 0
        self._first_step = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Keeps the number for the message; called by Keras."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        """Keeps the number for the message; called by Keras."""
        self._first_step = batch

    def on_train_batch_end(self, batch, logs=None):
        """Raises if the loss is not finite; called by Keras."""
        logs = logs or {}
        # Keras has fetched the numbers from the device already, for any callback.
        if not math.isfinite(logs.get("loss", 0.0)):
            raise self._diverged(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Raises if a weight is not finite; called by Keras."""
        if not self.check_weights:
            return
        for weight in self.model.weights:
            if not _is_finite(weight):
                raise invalid(
                    "StopOnNaN",
                    f"finite weights at the end of epoch {epoch + 1}",
                    f'NaN or inf in "{weight.path}", with a finite loss in every batch',
                    "The last step made it so, or it takes no part in the loss of "
                    "training, as moving statistics. Lower the learning rate, or look "
                    "at what that layer is given.",
                )

    def _diverged(self, last_step, logs):
        terms = {name: logs[name] for name in logs if name.endswith("_loss")}
        broken = {name: v for name, v in terms.items() if not math.isfinite(v)}
        finite = [name for name in terms if name not in broken]
        batches, is_one = self._batches(last_step)
        got = [f"loss={logs['loss']} in epoch {self._epoch + 1}, {batches}"]
        got += [f"{name}={value}" for name, value in broken.items()]
        if finite:
            got.append(f"{' and '.join(finite)} finite")
        fix = _STEP_OR_DATA if not finite else _ONE_TERM if broken else _NO_TERM
        return invalid(
            "StopOnNaN",
            "a finite loss",
            ", ".join(got),
            fix if is_one else f"{fix} {_FEWER_STEPS}",
        )

    def _batches(self, last_step):
        """The batches that one compiled call took, and whether it is a single one."""
        steps = (self.params or {}).get("steps")
        if steps is not None:
            last_step = min(last_step, steps - 1)
        first, last = self._first_step + 1, last_step + 1
        if first == last:
            return f"batch {last}", True
        return f"one of the batches {first} to {last}", False


def _is_finite(weight):
    if not keras.backend.is_float_dtype(weight.dtype):
        return True
    return bool(ops.all(ops.isfinite(weight.value)))
