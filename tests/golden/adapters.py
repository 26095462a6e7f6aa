"""From a golden case to a call of the public functions, by method id.

Each adapter takes `(inputs, hyperparameters, weights)`: the arrays under `x.*`, `wk.*`,
keys without prefix, and returns the scalar loss as a Keras tensor.
"""

from collections.abc import Callable

from keras import ops

from keras_kd.losses import multi_label_divergence, soft_target_divergence


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


ADAPTERS: dict[str, Callable] = {
    "kd_kl": _soft_target("kl"),
    "soft_ce": _soft_cross_entropy,
    "soft_ce_t2": _weighted_soft_cross_entropy,
    "multilabel_sigmoid_kd": _multi_label,
}
