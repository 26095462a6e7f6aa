"""Golden cases of losses on feature maps; see `adapters.py`."""

from collections.abc import Callable

import keras
from keras import ops

from keras_kd.losses.features.channel import ChannelDistillation, channel_divergence
from keras_kd.losses.features.class_attention import class_attention_gap
from keras_kd.losses.features.classifier_reuse import ClassifierReuseDistillation
from keras_kd.losses.features.inter_channel import (
    InterChannelDistillation,
    inter_channel_gap,
)
from keras_kd.losses.features.masked_generative import (
    MaskedGenerativeDistillation,
    masked_generation_gap,
)
from keras_kd.losses.features.pearson import pearson_gap
from keras_kd.losses.features.prime_aware import (
    PrimeAwareDistillation,
    prime_aware_gap,
)
from keras_kd.losses.features.representation import (
    RepresentationDistillation,
    representation_gap,
)
from keras_kd.losses.features.review import (
    ReviewDistillation,
    hierarchical_context_gap,
)
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.outputs import ModelOutputs

LOGITS = ops.zeros((1, 2))


def _pair(inputs):
    return inputs["teacher_feat"], inputs["student_feat"]


def _numbered(inputs, side):
    names = [name for name in sorted(inputs) if name.startswith(f"{side}_feat_")]
    return [inputs[name] for name in names]


def _outputs(*features, logits=LOGITS):
    return ModelOutputs(logits, {f"{i}": value for i, value in enumerate(features)})


def _convolution(layer, weights, prefix):
    mapping = [(layer.kernel, weights[f"{prefix}.weight"])]
    if layer.bias is not None:
        mapping.append((layer.bias, weights[f"{prefix}.bias"]))
    return mapping


def _batch_norm(layer, weights, prefix):
    return [
        (layer.gamma, weights[f"{prefix}.weight"]),
        (layer.beta, weights[f"{prefix}.bias"]),
        (layer.moving_mean, ops.convert_to_tensor(weights[f"{prefix}.running_mean"])),
        (
            layer.moving_variance,
            ops.convert_to_tensor(weights[f"{prefix}.running_var"]),
        ),
    ]


def _with(mapping):
    mapping = [(variable, ops.convert_to_tensor(value)) for variable, value in mapping]
    return keras.StatelessScope(state_mapping=mapping)


def _built(loss, teacher, student):
    loss.build(
        *(
            ModelOutputs(
                (None, 2),
                {path: (None, *x.shape[1:]) for path, x in side.features.items()},
            )
            for side in (teacher, student)
        )
    )
    return loss


def _class_attention(inputs, hyperparameters, weights):
    return ops.mean(
        class_attention_gap(
            *_pair(inputs),
            resolution=hyperparameters["cam_resolution"],
            normalize=hyperparameters["normalize"],
        )
    )


def _channel(inputs, hyperparameters, weights):
    temperature = hyperparameters["temperature"]
    return ops.mean(channel_divergence(*_pair(inputs), temperature=temperature))


def _channel_projected(inputs, hyperparameters, weights):
    teacher, student = map(_outputs, _pair(inputs))
    loss = ChannelDistillation("0", "0", hyperparameters["temperature"])
    projection = _built(loss, teacher, student).projections[0]
    with _with([(projection.kernel, weights["conv.weight"])]):
        value = ops.mean(loss(teacher, student))
    # The reference divides by the student's channels, after projecting to the
    # teacher's.
    return value * inputs["teacher_feat"].shape[-1] / inputs["student_feat"].shape[-1]


def _masked_generative(inputs, hyperparameters, weights):
    teacher, student = map(_outputs, _pair(inputs))
    loss = _built(MaskedGenerativeDistillation("0", "0"), teacher, student)
    aligner, generator = loss.aligners[0], loss.generators[0]
    mapping = [
        *_convolution(generator.layers[0], weights, "generation.0"),
        *_convolution(generator.layers[2], weights, "generation.2"),
    ]
    if "align.weight" in weights:
        mapping += _convolution(aligner, weights, "align")
    with _with(mapping):
        gap = masked_generation_gap(
            inputs["teacher_feat"],
            aligner(inputs["student_feat"]),
            mask=inputs["mask"],
            generator=generator,
        )
    return hyperparameters["alpha_mgd"] * ops.mean(gap)


def _inter_channel(inputs, hyperparameters, weights, *, prefix="embed_s", size=1):
    teacher, student = map(_outputs, _pair(inputs))
    loss = InterChannelDistillation("0", "0", kernel_size=size)
    convolution, norm = _built(loss, teacher, student).embeddings[0].layers
    mapping = [
        *_convolution(convolution, weights, f"{prefix}.conv2d"),
        *_batch_norm(norm, weights, f"{prefix}.l2norm"),
    ]
    with _with(mapping):
        return ops.mean(loss(teacher, student, training=True))


def _inter_channel_imagenet(inputs, hyperparameters, weights):
    batch = inputs["student_feat"].shape[0]
    if not hyperparameters["embed"]:
        return ops.mean(inter_channel_gap(*_pair(inputs))) / batch
    value = _inter_channel(inputs, hyperparameters, weights, prefix="embed", size=3)
    return value / batch


def _pearson(inputs, hyperparameters, weights):
    resize = "student" if hyperparameters["resize_stu"] else "teacher"
    levels = zip(
        _numbered(inputs, "teacher"), _numbered(inputs, "student"), strict=True
    )
    total = sum(pearson_gap(ours, theirs, resize=resize) for ours, theirs in levels)
    return hyperparameters["loss_weight"] * total


def _hierarchical_context(inputs, hyperparameters, weights):
    levels = zip(
        _numbered(inputs, "teacher"), _numbered(inputs, "student"), strict=True
    )
    return sum(
        ops.mean(
            hierarchical_context_gap(ours, theirs, levels=hyperparameters["levels"])
        )
        for ours, theirs in levels
    )


def _review(inputs, hyperparameters, weights):
    teacher, student = (
        _outputs(*_numbered(inputs, side), inputs[f"{side}_pooled"])
        for side in ("teacher", "student")
    )
    loss = ReviewDistillation(list(teacher.features), list(student.features))
    mapping = []
    for number, fusion in enumerate(_built(loss, teacher, student).fusions):
        prefix = f"abfs.{number}"
        for stack, part in ((fusion.reduce, "conv1"), (fusion.expand, "conv2")):
            convolution, norm = stack.layers
            mapping += _convolution(convolution, weights, f"{prefix}.{part}.0")
            mapping += _batch_norm(norm, weights, f"{prefix}.{part}.1")
        if fusion.attend is not None:
            mapping += _convolution(fusion.attend, weights, f"{prefix}.att_conv.0")
    with _with(mapping):
        return ops.mean(loss(teacher, student, training=True))


def _representation(inputs, hyperparameters, weights):
    temperature = hyperparameters["temperature"]
    divergence = soft_target_divergence(
        inputs["teacher_logits"], inputs["student_logits"], temperature=temperature
    )
    gap = representation_gap(
        inputs["teacher_emb"],
        inputs["student_emb"],
        exponent=hyperparameters["exponent"],
    )
    return gap + ops.mean(divergence) / temperature**2


def _representation_projector(inputs, hyperparameters, weights):
    teacher, student = (
        _outputs(inputs[f"{side}_feat"], logits=inputs[f"{side}_logits"])
        for side in ("teacher", "student")
    )
    loss = RepresentationDistillation(
        "0", "0", hyperparameters["exponent"], hyperparameters["temperature"]
    )
    dense = _built(loss, teacher, student).projectors[0].layers[0]
    with _with(_convolution(dense, weights, "student.linear")):
        return loss(teacher, student, training=True)


def _prime_aware(inputs, hyperparameters, weights):
    values = prime_aware_gap(
        inputs["teacher_emb"],
        inputs["student_emb"],
        inputs["student_log_variance"],
        epsilon=hyperparameters["eps"],
    )
    return ops.mean(values) if hyperparameters["reduction"] == "mean" else sum(values)


def _prime_aware_branch(inputs, hyperparameters, weights):
    teacher, student = (
        _outputs(inputs["teacher_emb"]),
        _outputs(inputs["student_emb"]),
    )
    loss = PrimeAwareDistillation("0", "0", hyperparameters["eps"])
    dense, norm = _built(loss, teacher, student).estimators[0].layers
    mapping = [
        *_convolution(dense, weights, "var_estimator.0"),
        *_batch_norm(norm, weights, "var_estimator.1"),
    ]
    with _with(mapping):
        values = loss(teacher, student, training=True)
    return ops.mean(values) if hyperparameters["reduction"] == "mean" else sum(values)


def _classifier_reuse(inputs, hyperparameters, weights):
    teacher, student = map(_outputs, _pair(inputs))
    loss = ClassifierReuseDistillation("0", "0", hyperparameters["factor"])
    parts = _built(loss, teacher, student).projectors[0].layers
    mapping = []
    for first in (0, 3, 6):
        mapping += _convolution(parts[first], weights, f"transfer.{first}")
        mapping += _batch_norm(parts[first + 1], weights, f"transfer.{first + 1}")
    with _with(mapping):
        return ops.mean(loss(teacher, student, training=True))


ADAPTERS: dict[str, Callable] = {
    "cat_kd": _class_attention,
    "cwd": _channel,
    "cwd_projected": _channel_projected,
    "ickd": _inter_channel,
    "ickd_imagenet": _inter_channel_imagenet,
    "mgd": _masked_generative,
    "mgd_spatial": _masked_generative,
    "pad_l2": _prime_aware,
    "pad_l2_branch": _prime_aware_branch,
    "pkd": _pearson,
    "reviewkd": _review,
    "reviewkd_hcl": _hierarchical_context,
    "simkd": _classifier_reuse,
    "srd": _representation,
    "srd_projector": _representation_projector,
}
