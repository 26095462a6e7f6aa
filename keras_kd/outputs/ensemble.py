"""The outputs of several models as those of one: the mean of their probabilities."""

from typing import Any, NamedTuple

from keras import ops

from keras_kd.outputs.forward import ModelOutputs


class EnsembleOutputs(NamedTuple):
    """What an ensemble answers whose probabilities are averaged.

    The mean of softened probabilities is another at every temperature, and no softening
    of one of them gives the next. So the logits of the members are kept, and each loss
    is given the mean at its own temperature, while every member ran once.

    Attributes:
        logits: float32 `(batch, num_classes)`, at temperature 1.
        features: empty; layers of different models have no mean.
        member_logits: float32 `(members, batch, num_classes)`.
        weights: float32 `(members,)`, each above 0, their sum 1.
    """

    logits: Any
    features: dict[str, Any]
    member_logits: Any
    weights: Any

    @property
    def is_of_one_temperature(self):
        """See `ModelOutputs`; the members' logits are here for every one."""
        return False

    def at_temperature(self, temperature, activation="softmax"):
        """The ensemble as one model that is right at a temperature.

        Args:
            temperature: float > 0 or scalar tensor, at which a loss softens the logits,
                with no gradient; None for the logits as they are.
            activation: "softmax" or "sigmoid", by which the loss reads logits; "linear"
                if the members give values, which are no logits.

        Returns:
            `ModelOutputs`, the activation of whose logits / temperature is the mean.
        """
        if activation == "linear":
            return ModelOutputs(ops.tensordot(self.weights, self.member_logits, axes=1))
        if temperature is None:
            return ModelOutputs(self.logits)
        return ModelOutputs(
            mean_of_probabilities(
                self.member_logits,
                self.weights,
                temperature=temperature,
                activation=activation,
            )
        )


def mean_of_probabilities(
    member_logits, weights, *, temperature=1.0, activation="softmax"
):
    """Logits L with softmax(L / T) = Σ wᵢ · softmax(zᵢ / T), exact at any size of zᵢ.

    With "sigmoid", sigmoid(L / T) = Σ wᵢ · sigmoid(zᵢ / T). A softmax leaves a common
    offset of L open: it is Σ wᵢ · T · logsumexp(zᵢ / T). So the mean of one member, or
    of equal ones, is that member's logits and not only its probabilities, which losses
    on logits themselves see; and for large T the mean tends to Σ wᵢ · zᵢ.

    Args:
        member_logits: float `(members, batch, ..., num_classes)`, constants.
        weights: float `(members,)`, each above 0, their sum 1.
        temperature: float > 0 or scalar tensor. Default 1.0.
        activation: "softmax" or "sigmoid".

    Returns:
        Float32 `(batch, ..., num_classes)`, a constant.

    Example:
        >>> mean = mean_of_probabilities([[[800.0, 0.0]], [[0.0, 800.0]]], [0.5, 0.5])
        >>> ops.convert_to_numpy(ops.softmax(mean)).tolist()
        [[0.5, 0.5]]
    """
    member_logits = ops.cast(member_logits, "float32")
    weights = ops.cast(weights, "float32")
    weights = ops.reshape(weights, (-1, *[1] * (len(member_logits.shape) - 1)))
    temperature = ops.cast(temperature, "float32")
    scaled, log_weights = member_logits / temperature, ops.log(weights)
    if activation == "sigmoid":
        yes = ops.logsumexp(ops.log_sigmoid(scaled) + log_weights, axis=0)
        no = ops.logsumexp(ops.log_sigmoid(-scaled) + log_weights, axis=0)
        return ops.stop_gradient(temperature * (yes - no))
    normalisers = ops.logsumexp(scaled, axis=-1, keepdims=True)
    mean = ops.logsumexp(scaled - normalisers + log_weights, axis=0)
    offset = ops.sum(weights * normalisers, axis=0)
    return ops.stop_gradient(temperature * (mean + offset))
