"""Golden cases of losses on relations; see `adapters.py`."""

from collections.abc import Callable

from keras import ops

from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.relations.congruence import kernel_congruence, neighbour_congruence
from keras_kd.losses.relations.contrast import (
    contrast_normaliser,
    memory_similarities,
    noise_contrastive_error,
)
from keras_kd.losses.relations.probabilistic import neighbour_divergence
from keras_kd.losses.relations.relational import angle_gap, distance_gap
from keras_kd.losses.relations.similarity import similarity_gap


def _similarity(inputs, hyperparameters, weights):
    count = len(inputs) // 2
    return sum(
        ops.mean(
            similarity_gap(inputs[f"teacher_feat_{i}"], inputs[f"student_feat_{i}"])
        )
        for i in range(count)
    )


def _congruence(inputs, hyperparameters, weights):
    return neighbour_congruence(inputs["teacher_emb"], inputs["student_emb"])


def _embedded_congruence(inputs, hyperparameters, weights):
    def embedding(name):
        kernel, bias = (weights[f"{name}.linear.{part}"] for part in ("weight", "bias"))
        return lambda vectors: ops.matmul(vectors, kernel) + bias

    return neighbour_congruence(
        inputs["teacher_emb"],
        inputs["student_emb"],
        teacher_embedding=embedding("embed_t"),
        student_embedding=embedding("embed_s"),
    )


def _kernel_congruence(inputs, hyperparameters, weights):
    options = {}
    if hyperparameters["kernel"] == "gaussian":
        options["order"] = hyperparameters["max_p"]
    return kernel_congruence(
        inputs["teacher_emb"],
        inputs["student_emb"],
        gamma=hyperparameters["gamma"],
        **options,
    )


def _contrastive(inputs, hyperparameters, weights):
    num_examples = hyperparameters["n_data"]
    temperature = hyperparameters["nce_t"]
    total = 0.0
    # Each model's embedding meets the memory of the other's.
    for number, (side, memory) in enumerate((("s", "memory_v2"), ("t", "memory_v1"))):
        features = inputs["student_emb" if side == "s" else "teacher_emb"]
        kernel = weights[f"embed_{side}.linear.weight"]
        embedded = ops.matmul(features, kernel) + weights[f"embed_{side}.linear.bias"]
        similarities = memory_similarities(
            l2_normalise(embedded), inputs[memory], inputs["contrast_idx"]
        )
        normaliser = float(inputs["Z"][number])
        if normaliser < 0:
            normaliser = contrast_normaliser(similarities, num_examples, temperature)
        total += ops.mean(
            noise_contrastive_error(
                similarities,
                num_examples=num_examples,
                normaliser=normaliser,
                temperature=temperature,
            )
        )
    return total


def _probabilistic(inputs, hyperparameters, weights):
    return ops.mean(neighbour_divergence(inputs["teacher_emb"], inputs["student_emb"]))


def _distance(inputs, hyperparameters, weights):
    return distance_gap(*_features(inputs))


def _angle(inputs, hyperparameters, weights):
    return angle_gap(*_features(inputs))


def _relational(inputs, hyperparameters, weights):
    distance = hyperparameters["w_d"] * distance_gap(*_features(inputs))
    return distance + hyperparameters["w_a"] * angle_gap(*_features(inputs))


def _features(inputs):
    kind = "emb" if "student_emb" in inputs else "feat"
    return inputs[f"teacher_{kind}"], inputs[f"student_{kind}"]


ADAPTERS: dict[str, Callable] = {
    "sp": _similarity,
    "cc": _congruence,
    "cc_embed": _embedded_congruence,
    "cc_kernel": _kernel_congruence,
    "crd": _contrastive,
    "pkt": _probabilistic,
    "rkd_distance": _distance,
    "rkd_angle": _angle,
    "rkd": _relational,
}
