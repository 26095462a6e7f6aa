"""Metrics of `compile`, given what they mean on a student that ends in logits."""

import keras

from keras_kd._checks import invalid
from keras_kd._keras_internals import set_more_is_better
from keras_kd.distiller.hard_loss import (
    HardLabelCrossEntropy,
    check_from_logits,
    ended,
    is_sparse,
    name_of,
    reads_logits,
    resolved,
)

_METRICS = keras.metrics
_COUNTING = (
    _METRICS.Precision,
    _METRICS.Recall,
    _METRICS.TruePositives,
    _METRICS.TrueNegatives,
    _METRICS.FalsePositives,
    _METRICS.FalseNegatives,
)
_ONE_THRESHOLD = (_METRICS.BinaryAccuracy, _METRICS.BinaryIoU)
# Their thresholds are in [0, 1], wherever the outputs are.
_OF_PROBABILITIES = (
    _METRICS.KLDivergence,
    _METRICS.Poisson,
    _METRICS.PrecisionAtRecall,
    _METRICS.RecallAtPrecision,
    _METRICS.SensitivityAtSpecificity,
    _METRICS.SpecificityAtSensitivity,
)


@keras.saving.register_keras_serializable(package="keras_kd")
def accuracy_of_logits(y_true, y_pred):
    """What Keras takes "accuracy" for, of logits: one unit says yes above 0.

    Args:
        y_true: labels, class numbers or rows.
        y_pred: logits `(batch, ..., num_classes)`.

    Returns:
        0 or 1 for each decision.

    Example:
        >>> accuracy_of_logits([[1], [1]], [[0.3], [-0.3]]).numpy().tolist()
        [[1.0], [0.0]]
    """
    y_true, y_pred = map(keras.ops.convert_to_tensor, (y_true, y_pred))
    if y_pred.shape[-1] == 1:
        return _METRICS.binary_accuracy(y_true, y_pred, threshold=0.0)
    if is_sparse(y_true.shape, y_pred.shape):
        return _METRICS.sparse_categorical_accuracy(y_true, y_pred)
    return _METRICS.categorical_accuracy(y_true, y_pred)


@keras.saving.register_keras_serializable(package="keras_kd")
class LogitAccuracy(keras.metrics.MeanMetricWrapper):
    """The mean of `accuracy_of_logits`, in the place of "accuracy".

    Args:
        name: str.
        dtype: see `keras.metrics.Metric`.

    Example:
        >>> metric = LogitAccuracy()
        >>> metric.update_state([[1], [1]], [[0.3], [-0.3]])
        >>> float(metric.result())
        0.5
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy_of_logits, name=name, dtype=dtype)
        set_more_is_better(self)

    def get_config(self):
        """The arguments of the constructor."""
        return {"name": self.name, "dtype": self.dtype}


def fitted_metrics(metrics, parts, *, output_names=None, where="Distiller.compile"):
    """The metrics of `compile`, with names that mean thresholds read at logits.

    Args:
        metrics: as `compile` takes them.
        parts: list of the student's `OutputLoss`es.
        output_names: see `of_each_output`.
        where: str, see `invalid`.

    Returns:
        The same structure.

    Raises:
        ValueError: A metric reads probabilities where the student gives logits, or the
            other way round.
    """

    def fitted(entry, part):
        check_from_logits(entry, part.head, where=where, what="metric")
        return keras.tree.map_structure(lambda m: _fitted(m, part, where), entry)

    if parts[0].name is None:
        return fitted(metrics, parts[0])
    known = dict(zip(output_names or (), parts, strict=False))
    known |= {part.name: part for part in parts}
    if not isinstance(metrics, (dict, list, tuple)):
        return metrics
    is_dict = isinstance(metrics, dict)
    entries = metrics if is_dict else dict(enumerate(metrics))
    known = known if is_dict else dict(enumerate(parts))
    entries = {
        name: fitted(entry, known[name]) if name in known else entry
        for name, entry in entries.items()
    }
    return entries if is_dict else list(entries.values())


def _fitted(metric, part, where):
    """One metric, as it reads the logits of one output."""
    if not _gives_logits(part):
        return metric
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        return LogitAccuracy(metric)
    its_class, by_name = _class_of(metric), not isinstance(metric, _METRICS.Metric)
    of_labels = part.reading == "sigmoid"
    if by_name and of_labels and its_class in _ONE_THRESHOLD:
        return its_class(threshold=0.0, name=_named(metric))
    if by_name and of_labels and its_class in _COUNTING:
        return its_class(thresholds=0, name=_named(metric))
    if its_class is not None and _reads_probabilities(resolved(metric), its_class):
        raise _misread(metric, part, where)
    return metric


def _gives_logits(part):
    """Whether an output is the logits of decisions, as far as it is known."""
    if part.reading not in ("softmax", "sigmoid"):
        return False
    if part.head.activation == "unknown":
        # One that is not recognised gives what the loss reads.
        inferred = isinstance(part.loss, HardLabelCrossEntropy)
        return inferred or bool(reads_logits(part.loss))
    return part.head.activation == "linear"


def _class_of(metric):
    """The class that a metric, its name or its function stands for."""
    metric = resolved(metric)
    if metric is _METRICS.binary_accuracy:
        return _METRICS.BinaryAccuracy
    functions = {
        keras.losses.kl_divergence: _METRICS.KLDivergence,
        keras.losses.poisson: _METRICS.Poisson,
    }
    if isinstance(metric, _METRICS.Metric):
        return type(metric)
    return functions.get(metric) if callable(metric) else None


def _named(metric):
    return metric if isinstance(metric, str) else name_of(metric)


def _reads_probabilities(metric, its_class):
    """Whether a metric's thresholds, or logarithms, are those of probabilities."""
    config = metric.get_config() if isinstance(metric, _METRICS.Metric) else {}
    if issubclass(its_class, _COUNTING):
        thresholds = config["thresholds"]
        thresholds = [0.5] if thresholds is None else keras.tree.flatten(thresholds)
        return config.get("top_k") is None and any(t > 0 for t in thresholds)
    if issubclass(its_class, _ONE_THRESHOLD):
        return config.get("threshold", 0.5) > 0
    if issubclass(its_class, _METRICS.FBetaScore):
        return config["threshold"] is not None
    return issubclass(its_class, _OF_PROBABILITIES)


def _misread(metric, part, where):
    """The error for a metric that would read logits as probabilities."""
    its_class = _class_of(metric)
    fix = ended(part.reading)
    argument = None
    if part.reading == "sigmoid" and its_class is not None:
        argument = "threshold=0.0" if issubclass(its_class, _ONE_THRESHOLD) else None
        argument = "thresholds=0" if issubclass(its_class, _COUNTING) else argument
    if argument:
        fix = (
            f"Half a probability is a logit of 0: keras.metrics.{its_class.__name__}"
            f"({argument}). For another threshold: {fix}"
        )
    return invalid(
        where,
        "a metric that reads logits, because the student's head "
        f"({part.head.activation}) gives logits",
        f"{name_of(metric)}, which reads probabilities",
        fix,
    )
