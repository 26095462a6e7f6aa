"""Golden cases of losses on relations; see `adapters.py`."""

from collections.abc import Callable

from keras import ops

from keras_kd.losses.relations.congruence import kernel_congruence, neighbour_congruence
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
    "pkt": _probabilistic,
    "rkd_distance": _distance,
    "rkd_angle": _angle,
    "rkd": _relational,
}
