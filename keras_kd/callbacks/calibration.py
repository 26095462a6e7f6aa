"""How far a model's confidence is from how often it is right."""

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd._keras_internals import mask_of, set_less_is_better
from keras_kd.distiller.hard_loss import is_sparse


@keras.saving.register_keras_serializable(package="keras_kd")
class ExpectedCalibrationError(keras.metrics.Metric):
    """Mean distance between confidence and accuracy, over bins of equal confidence.

    Decisions are put into `num_bins` bins of equal width by the probability of the
    class that was chosen; ECE = Σ nₘ/n · |accuracyₘ - confidenceₘ|. 0 is best.

    A metric as any of Keras: in `compile(metrics=[...])` of a `Distiller` or of another
    model, it is logged by `fit` and `evaluate` ("val_expected_calibration_error"). It
    counts over all batches, so that the last value of an epoch is exact, and is the
    same for every batch size. Masks of Keras are followed; weights of examples are in
    `compile(weighted_metrics=[...])`.

    Args:
        from_logits: bool, whether the model's outputs are logits; of the student's
            own outputs, whose head stays as it is.
        multi_label: bool, for labels that do not exclude each other: every output is a
            decision of its own, with the confidence of yes or no. So is an output of
            one unit, always.
        num_bins: int, at least 1. Default 15, as in the paper.
        ignore_class: int, a label that is not counted, such as 255 in segmentation.
        name: str.
        dtype: str, in which it counts; default float32.

    Reference:
        Guo et al., 2017, https://arxiv.org/abs/1706.04599.
        Departures: none; it counts over batches what the paper has at once.

    Example:
        >>> metric = ExpectedCalibrationError(from_logits=False)
        >>> metric.update_state([0, 0], [[0.9, 0.1], [0.3, 0.7]])
        >>> round(float(metric.result()), 3)  # (|1 - 0.9| + |0 - 0.7|) / 2
        0.4
    """

    def __init__(
        self,
        *,
        from_logits,
        multi_label=False,
        num_bins=15,
        ignore_class=None,
        name="expected_calibration_error",
        dtype=None,
    ):
        if not isinstance(num_bins, int) or isinstance(num_bins, bool) or num_bins < 1:
            raise invalid(
                "ExpectedCalibrationError",
                "`num_bins` to be an integer of at least 1",
                repr(num_bins),
                "Leave it out for the usual 15.",
            )
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.multi_label = multi_label
        self.num_bins = num_bins
        self.ignore_class = ignore_class
        # Of a bin only the difference of its sums is needed, which no sum over devices
        # or batches makes wrong.
        self.gaps = self.add_variable((num_bins,), "zeros", name="gaps")
        self.count = self.add_variable((), "zeros", name="count")
        set_less_is_better(self)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts one batch.

        Args:
            y_true: class numbers `(batch, ...)` or `(batch, ..., 1)`, or one row of 0
                and 1 for each decision.
            y_pred: `(batch, ..., num_classes)`, logits or probabilities.
            sample_weight: None, `(batch,)`, or one for each decision.
        """
        mask = mask_of(y_pred)
        y_pred = ops.cast(y_pred, "float32")
        y_true = ops.convert_to_tensor(y_true)
        if self.multi_label or y_pred.shape[-1] == 1:
            labels = ops.reshape(ops.cast(y_true, "float32"), ops.shape(y_pred))
            confidence, is_right = self._yes_or_no(labels, y_pred)
        else:
            labels = _class_numbers(y_true, y_pred)
            confidence, is_right = self._one_of_many(labels, y_pred)
        weights = ops.ones_like(confidence)
        if self.ignore_class is not None:
            counts = ops.not_equal(labels, ops.cast(self.ignore_class, labels.dtype))
            weights *= ops.cast(counts, "float32")
        for factor in (mask, sample_weight):
            if factor is not None:
                weights *= _for_each_decision(factor, confidence)
        self._count(confidence, is_right, weights)

    def result(self):
        """The error so far, a scalar in [0, 1]; 0 before the first batch."""
        return ops.divide_no_nan(ops.sum(ops.abs(self.gaps)), self.count)

    def get_config(self):
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "multi_label": self.multi_label,
            "num_bins": self.num_bins,
            "ignore_class": self.ignore_class,
        }

    def _yes_or_no(self, labels, y_pred):
        yes = ops.sigmoid(y_pred) if self.from_logits else y_pred
        is_right = ops.equal(yes > 0.5, labels > 0.5)
        return ops.maximum(yes, 1.0 - yes), is_right

    def _one_of_many(self, labels, y_pred):
        probabilities = ops.softmax(y_pred) if self.from_logits else y_pred
        chosen = ops.cast(ops.argmax(y_pred, axis=-1), labels.dtype)
        return ops.max(probabilities, axis=-1), ops.equal(chosen, labels)

    def _count(self, confidence, is_right, weights):
        # Bins are closed at their upper end, as in the paper. NaN goes to the first
        # one, so that the result is NaN as well.
        number = ops.ceil(confidence * self.num_bins) - 1
        number = ops.where(number > 0, number, 0.0)
        number = ops.cast(ops.minimum(number, self.num_bins - 1), "int32")
        gaps = (confidence - ops.cast(is_right, "float32")) * weights
        gaps = ops.segment_sum(
            ops.reshape(gaps, (-1,)),
            ops.reshape(number, (-1,)),
            num_segments=self.num_bins,
        )
        self.gaps.assign_add(ops.cast(gaps, self.dtype))
        self.count.assign_add(ops.cast(ops.sum(weights), self.dtype))


def _class_numbers(y_true, y_pred):
    """The true class of each decision: int32 `(batch, ...)`."""
    if is_sparse(y_true.shape, y_pred.shape):
        y_true = ops.reshape(y_true, ops.shape(y_pred)[:-1])
    else:
        y_true = ops.argmax(y_true, axis=-1)
    return ops.cast(y_true, "int32")


def _for_each_decision(factor, confidence):
    """A mask or weights, float32 of a shape that can be multiplied with confidence."""
    factor, rank = ops.cast(factor, "float32"), len(confidence.shape)
    if len(factor.shape) == rank + 1:
        factor = ops.squeeze(factor, axis=-1)
    missing = [1] * (rank - len(factor.shape))
    return ops.reshape(factor, (*ops.shape(factor), *missing))
