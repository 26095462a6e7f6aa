"""Golden cases of losses on logits; see `adapters.py`."""

import math
from collections.abc import Callable

from keras import ops

from keras_kd.losses import multi_label_divergence, soft_target_divergence
from keras_kd.losses.labels import at_true_class
from keras_kd.losses.logits.correlation import correlation_divergence
from keras_kd.losses.logits.decoupled import decoupled_divergence
from keras_kd.losses.logits.jensen_shannon import jensen_shannon_divergence
from keras_kd.losses.logits.logit_regression import logit_regression_divergence
from keras_kd.losses.logits.multi_level import (
    batch_correlation_gap,
    class_correlation_gap,
    multi_level_divergence,
)
from keras_kd.losses.logits.normalized import normalized_divergence
from keras_kd.losses.logits.standardized import standardized_logits
from keras_kd.losses.logits.weighted_soft_label import weighted_soft_label_divergence


def _soft_target(divergence):
    def loss(inputs, hyperparameters, weights):
        return ops.mean(
            soft_target_divergence(
                inputs["teacher_logits"],
                inputs["student_logits"],
                temperature=hyperparameters["temperature"],
                divergence=divergence,
            )
        )

    return loss


def _soft_cross_entropy(inputs, hyperparameters, weights):
    # The reference leaves out the factor of temperature².
    squared = hyperparameters["temperature"] ** 2
    return _soft_target("cross_entropy")(inputs, hyperparameters, weights) / squared


def _weighted_soft_cross_entropy(inputs, hyperparameters, weights):
    loss = _soft_target("cross_entropy")(inputs, hyperparameters, weights)
    return hyperparameters["alpha"] * loss


def _multi_label(inputs, hyperparameters, weights):
    per_example = multi_label_divergence(
        inputs["teacher_logits"], inputs["student_logits"]
    )
    reduction = hyperparameters["reduction"]
    if reduction == "sum":
        return ops.sum(per_example)
    if reduction == "mean":
        return ops.mean(per_example) / inputs["student_logits"].shape[-1]
    return ops.mean(per_example)


def _combined(inputs, hyperparameters, weights):
    alpha, beta = hyperparameters["alpha"], hyperparameters["beta"]
    soft = _soft_target("kl")(inputs, hyperparameters, weights)
    if not hyperparameters["targets_given"]:
        # The reference then leaves out beta and the factor of temperature² as well.
        return soft / hyperparameters["temperature"] ** 2
    beta = 1 - alpha if beta is None else beta
    return alpha * _hard(inputs) + beta * soft


def _hard(inputs):
    log_probabilities = ops.log_softmax(inputs["student_logits"], axis=-1)
    return -ops.mean(at_true_class(log_probabilities, inputs["labels"]))


def _logits(inputs):
    return inputs["teacher_logits"], inputs["student_logits"]


def _standardized(loss):
    def standardized_loss(inputs, hyperparameters, weights):
        teacher, student = map(standardized_logits, _logits(inputs))
        inputs = {**inputs, "teacher_logits": teacher, "student_logits": student}
        return loss(inputs, hyperparameters, weights)

    return standardized_loss


def _logit_regression(inputs, hyperparameters, weights):
    return ops.mean(logit_regression_divergence(*_logits(inputs)))


def _decoupled(inputs, hyperparameters, weights):
    options = {name: hyperparameters[name] for name in ("alpha", "beta", "temperature")}
    return ops.mean(decoupled_divergence(*_logits(inputs), inputs["labels"], **options))


def _normalized(inputs, hyperparameters, weights):
    labels = inputs["labels"] if "labels" in inputs else inputs["label_probs"]
    loss = normalized_divergence(*_logits(inputs), labels, **hyperparameters)
    return ops.mean(loss)


def _correlation(inputs, hyperparameters, weights):
    return correlation_divergence(
        *_logits(inputs),
        beta=hyperparameters["beta"],
        gamma=hyperparameters["gamma"],
        temperature=hyperparameters["tau"],
    )


def _multi_level(inputs, hyperparameters, weights):
    return hyperparameters["kd_weight"] * multi_level_divergence(
        (inputs["teacher_logits_weak"], inputs["teacher_logits_strong"]),
        (inputs["student_logits_weak"], inputs["student_logits_strong"]),
        temperature=hyperparameters["temperature"],
        standardize=hyperparameters["logit_stand"],
    )


def _correlation_gap(gap):
    def loss(inputs, hyperparameters, weights):
        return gap(*_logits(inputs), temperature=hyperparameters["temperature"])

    return loss


def _weighted_soft_label(inputs, hyperparameters, weights):
    loss = weighted_soft_label_divergence(
        *_logits(inputs), inputs["labels"], temperature=hyperparameters["temperature"]
    )
    return hyperparameters["alpha"] * ops.mean(loss)


def _weighted_soft_label_total(inputs, hyperparameters, weights):
    return _hard(inputs) + _weighted_soft_label(inputs, hyperparameters, weights)


def _jensen_shannon(inputs, hyperparameters, weights):
    loss = jensen_shannon_divergence(
        *_logits(inputs),
        beta=hyperparameters["beta"],
        temperature=hyperparameters["temperature"],
    )
    if hyperparameters.get("labels_used"):
        kept = ops.cast(inputs["labels"] != -100, "float32")
        return ops.sum(loss * kept) / ops.sum(kept)
    shape = inputs["student_logits"].shape
    divisors = {"batchmean": shape[0], "mean": math.prod(shape), "sum": 1}
    return ops.sum(loss) / divisors[hyperparameters["reduction"]]


ADAPTERS: dict[str, Callable] = {
    "kd_kl": _soft_target("kl"),
    "soft_ce": _soft_cross_entropy,
    "soft_ce_t2": _weighted_soft_cross_entropy,
    "multilabel_sigmoid_kd": _multi_label,
    "kd_ce_combined": _combined,
    "logits_mse": _logit_regression,
    "dkd": _decoupled,
    "nkd": _normalized,
    "dist": _correlation,
    "lskd_kd": _standardized(_soft_target("kl")),
    "lskd_dkd": _standardized(_decoupled),
    "mlld": _multi_level,
    "mlld_lskd": _multi_level,
    "mlld_cc": _correlation_gap(class_correlation_gap),
    "mlld_bc": _correlation_gap(batch_correlation_gap),
    "wsld": _weighted_soft_label,
    "wsld_official_total": _weighted_soft_label_total,
    "generalized_jsd": _jensen_shannon,
    "reverse_kl": _jensen_shannon,
}
