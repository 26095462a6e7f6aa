"""Golden cases of losses on features; see `adapters.py`."""

from collections.abc import Callable

import keras
from keras import ops

from keras_kd.losses.features.activation_boundary import ActivationBoundaryDistillation
from keras_kd.losses.features.attention import AttentionDistillation, attention_distance
from keras_kd.losses.features.factor import (
    FactorDistillation,
    factor_attention_distance,
    factor_distance,
)
from keras_kd.losses.features.flow import FlowDistillation
from keras_kd.losses.features.hint import HintDistillation, hint_error
from keras_kd.losses.features.neuron_selectivity import NeuronSelectivityDistillation
from keras_kd.losses.features.overhaul import OverhaulDistillation, negative_margins
from keras_kd.losses.features.paraphraser import Paraphraser, reconstruction_error
from keras_kd.losses.features.variational import VariationalDistillation
from keras_kd.outputs import ModelOutputs

_SIDES = ("teacher", "student")


def _run(make_loss, inputs, weights_of=None):
    """The batch's mean of a loss class, with the authors' weights in place of its own.

    Args:
        make_loss: function of the lists of paths, to a loss.
        inputs: the case's; `teacher_feat`, or `teacher_feat_0` and so on.
        weights_of: function of the built loss to a list of (variable, tensor).
    """
    teacher, student = (_outputs(inputs, f"{side}_feat") for side in _SIDES)
    loss = make_loss(list(teacher.features), list(student.features))
    loss.build(
        *(
            keras.tree.map_structure(lambda x: tuple(x.shape), o)
            for o in (teacher, student)
        )
    )
    mapping = weights_of(loss) if weights_of else []
    with keras.StatelessScope(state_mapping=mapping):
        per_example = loss(teacher, student, training=True)
    assert per_example.shape == teacher.logits.shape[:1]
    return ops.mean(per_example)


def _outputs(inputs, prefix):
    features = {
        key: ops.convert_to_tensor(inputs[key])
        for key in sorted(inputs)
        if key.startswith(prefix)
    }
    batch = next(iter(features.values())).shape[0]
    return ModelOutputs(ops.zeros((batch, 2)), features)


def _weights(layers, weights, prefixes):
    """Pairs of (variable, tensor) for convolutions and normalisations in order."""
    pairs = []
    owners = [layer for layer in layers if layer.weights]
    for layer, prefix in zip(owners, prefixes, strict=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            pairs += [
                (layer.gamma, weights[f"{prefix}.weight"]),
                (layer.beta, weights[f"{prefix}.bias"]),
                (layer.moving_mean, weights[f"{prefix}.running_mean"]),
                (layer.moving_variance, weights[f"{prefix}.running_var"]),
            ]
            continue
        pairs.append((layer.kernel, weights[f"{prefix}.weight"]))
        if layer.use_bias:
            pairs.append((layer.bias, weights[f"{prefix}.bias"]))
    return pairs


def _mean_of(function, *names):
    """Adapter to a pure function of `teacher_feat` and `student_feat`."""

    def loss(inputs, hyperparameters, weights):
        options = {ours: hyperparameters[theirs] for ours, theirs in names}
        return ops.mean(
            function(inputs["teacher_feat"], inputs["student_feat"], **options)
        )

    return loss


def _fitnet_regressor(inputs, hyperparameters, weights):
    return _run(
        HintDistillation,
        inputs,
        lambda loss: _weights(loss.regressors[0].layers, weights, ["conv", "bn"]),
    )


def _attention(inputs, hyperparameters, weights):
    return _run(
        lambda *layers: AttentionDistillation(*layers, power=hyperparameters["p"]),
        inputs,
    )


def _attention_of_the_paper(inputs, hyperparameters, weights):
    # The norm of the difference, where the authors' code has the mean of squares.
    teacher, student = inputs["teacher_feat"], inputs["student_feat"]
    positions = student.shape[1] * student.shape[2]
    return ops.mean(ops.sqrt(positions * attention_distance(teacher, student)))


def _activation_boundary(inputs, hyperparameters, weights):
    def weights_of(loss):
        return [
            pair
            for number, connector in enumerate(loss.connectors)
            if connector.weights
            for pair in _weights(
                connector.layers,
                weights,
                [f"connectors.{number}.conv", f"connectors.{number}.bn"],
            )
        ]

    def make_loss(*layers):
        margin = hyperparameters["margin"]
        return ActivationBoundaryDistillation(*layers, margin=margin)

    return _run(make_loss, inputs, weights_of)


def _coder(layers, weights, prefix, *, batch_norm):
    numbers = (0, 1, 3, 4, 6, 7) if batch_norm else (0, 3, 6)
    return _weights(layers, weights, [f"{prefix}.{number}" for number in numbers])


def _paraphraser_weights(paraphraser, weights, prefix=""):
    return [
        pair
        for name in ("encoder", "decoder")
        for pair in _coder(
            getattr(paraphraser, name).layers,
            weights,
            f"{prefix}{name}",
            batch_norm=paraphraser.batch_norm,
        )
    ]


def _factor_modules(inputs, hyperparameters, weights):
    channels = inputs["teacher_feat"].shape[-1]
    paraphraser = Paraphraser(channels, rate=hyperparameters["k"])

    def make_loss(*layers):
        return FactorDistillation(
            *layers,
            paraphraser,
            power=hyperparameters["p1"],
            exponent=hyperparameters["p2"],
        )

    def weights_of(loss):
        translator = loss.translators[0].layers
        return [
            *_coder(translator, weights, "translator.encoder", batch_norm=True),
            *_paraphraser_weights(paraphraser, weights, "paraphraser."),
        ]

    return _run(make_loss, inputs, weights_of)


def _paraphraser(inputs, hyperparameters, weights):
    teacher_maps = ops.convert_to_tensor(inputs["teacher_feat"])
    paraphraser = Paraphraser(
        teacher_maps.shape[-1],
        rate=hyperparameters["k"],
        batch_norm=hyperparameters["use_bn"],
    )
    mapping = _paraphraser_weights(paraphraser, weights)
    with keras.StatelessScope(state_mapping=mapping):
        reconstruction = paraphraser(teacher_maps, training=True)
    return ops.mean(reconstruction_error(teacher_maps, reconstruction))


def _variational(inputs, hyperparameters, weights):
    def make_loss(*layers):
        return VariationalDistillation(
            *layers,
            hidden_channels=hyperparameters["num_mid_channel"],
            initial_variance=hyperparameters["init_pred_var"],
        )

    def weights_of(loss):
        prefixes = [f"regressor.{number}" for number in (0, 2, 4)]
        return [
            (loss.log_scales[0], weights["log_scale"]),
            *_weights(loss.regressors[0].layers, weights, prefixes),
        ]

    return _run(make_loss, inputs, weights_of)


def _overhaul(prefix):
    def loss(inputs, hyperparameters, weights):
        def make_loss(teacher_layers, student_layers):
            return OverhaulDistillation(
                teacher_layers,
                student_layers,
                [
                    negative_margins(inputs[f"bn_gamma_{n}"], inputs[f"bn_beta_{n}"])
                    for n in range(len(teacher_layers))
                ],
                kernel_size=hyperparameters.get("connector_kernel_size", 1),
            )

        def weights_of(loss):
            return [
                pair
                for n, connector in enumerate(loss.connectors)
                for pair in _weights(
                    connector.layers, weights, [f"{prefix}.{n}.0", f"{prefix}.{n}.1"]
                )
            ]

        return _run(make_loss, inputs, weights_of)

    return loss


def _overhaul_summed(inputs, hyperparameters, weights):
    # The authors' training script divides the sum by the batch size.
    batch = inputs["student_feat_0"].shape[0]
    return batch * _overhaul("Connectors")(inputs, hyperparameters, weights)


ADAPTERS: dict[str, Callable] = {
    "fitnet_hint": _mean_of(hint_error),
    "fitnet_regressor": _fitnet_regressor,
    "at": _attention,
    "at_paper": _attention_of_the_paper,
    "nst": lambda inputs, *_: _run(NeuronSelectivityDistillation, inputs),
    "fsp": lambda inputs, *_: _run(FlowDistillation, inputs),
    "ab": _activation_boundary,
    "ab_connector": _activation_boundary,
    "ft_original": _mean_of(factor_distance),
    "ft": _mean_of(factor_attention_distance, ("power", "p1"), ("exponent", "p2")),
    "ft_modules": _factor_modules,
    "ft_paraphraser": _paraphraser,
    "vid": _variational,
    "ofd": _overhaul_summed,
    "ofd_mdistiller": _overhaul("connectors.connectors"),
}
