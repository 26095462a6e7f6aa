"""Golden cases of losses on other soft targets; see `adapters.py`."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_kd.losses import soft_target_divergence
from keras_kd.losses.logits.curriculum_temperature import (
    CurriculumTemperatureDistillation,
)
from keras_kd.losses.logits.dynamic_temperature import DynamicTemperatureDistillation
from keras_kd.losses.logits.pixel import pixel_divergence
from keras_kd.losses.logits.scale_decoupled import scale_decoupled_divergence
from keras_kd.losses.logits.sparse_target import sparse_target_divergence
from keras_kd.losses.logits.spectral import direction_divergence
from keras_kd.losses.logits.stored_target import (
    reinforced_target,
    renormalised_target,
    soft_label_divergence,
    uniform_tail_target,
)
from keras_kd.losses.logits.token import mean_over_kept, token_divergence
from keras_kd.losses.logits.transformed_teacher import transformed_teacher_divergence
from keras_kd.outputs import ModelOutputs


def _logits(inputs):
    return inputs["teacher_logits"], inputs["student_logits"]


def _outputs(inputs):
    return [ModelOutputs(ops.convert_to_tensor(logits)) for logits in _logits(inputs)]


def _transformed_teacher(weighted):
    def loss(inputs, hyperparameters, weights):
        values = transformed_teacher_divergence(
            *_logits(inputs),
            temperature=1.0 / hyperparameters["l"],
            weighted=weighted,
        )
        return ops.mean(values)

    return loss


def _curriculum(inputs, hyperparameters, weights):
    decoupled = None
    if "alpha" in hyperparameters:
        decoupled = hyperparameters["alpha"], hyperparameters["beta"]
    loss = CurriculumTemperatureDistillation(
        steps_per_epoch=1,
        start=hyperparameters["t_start"],
        span=hyperparameters["t_end"],
        ramp_epochs=hyperparameters["decay_loops"],
        ramp=hyperparameters["schedule"],
        decoupled=decoupled,
    )
    # With one step an epoch, the step count is the number of epochs that are over.
    loss.at_step(hyperparameters["epoch"] - 1)
    teacher, student = _outputs(inputs)
    loss(teacher, student, inputs.get("labels"))
    raw = ops.reshape(weights["global_T"], ())
    with keras.StatelessScope(state_mapping=[(loss.raw_temperature, raw)]):
        return ops.mean(loss(teacher, student, inputs.get("labels")))


def _dynamic(inputs, hyperparameters, weights):
    loss = DynamicTemperatureDistillation(
        steps_per_epoch=1,
        temperature=hyperparameters["temperature"],
        alpha=hyperparameters["alpha"],
        beta=hyperparameters["beta"],
        warmup_epochs=hyperparameters["warmup"],
    )
    loss.at_step(hyperparameters["epoch"] - 1)
    return ops.mean(loss(*_outputs(inputs)))


def _instance(inputs, hyperparameters, weights):
    # SKD's other term: Hinton's loss without the factor of temperature².
    temperature = hyperparameters["temperature"]
    values = soft_target_divergence(*_logits(inputs), temperature=temperature)
    return ops.mean(values) / temperature**2


def _direction(inputs, hyperparameters, weights):
    return direction_divergence(*_logits(inputs), tikhonov=hyperparameters["tikhonov"])


def _scale_decoupled(inputs, hyperparameters, weights):
    # The reference has the regions last.
    teacher, student = (ops.transpose(x, (0, 2, 1)) for x in _logits(inputs))
    decoupled = None
    if "alpha" in hyperparameters:
        decoupled = hyperparameters["alpha"], hyperparameters["beta"]
    values = scale_decoupled_divergence(
        teacher,
        student,
        inputs["labels"],
        temperature=hyperparameters["temperature"],
        decoupled=decoupled,
    )
    return ops.mean(values)


def _token(inputs, hyperparameters, weights):
    values = token_divergence(
        *_logits(inputs),
        inputs["labels"] if hyperparameters["mask_used"] else None,
        temperature=hyperparameters["temperature"],
        num_tokens=hyperparameters["num_items_in_batch"],
    )
    return ops.mean(values)


def _sparse(inputs, hyperparameters, weights):
    missing = {"zero": "renormalise", "symmetric_uniform": "bucket"}
    values = sparse_target_divergence(
        inputs["teacher_topk_values"],
        inputs["teacher_topk_ids"],
        inputs["student_logits"],
        temperature=hyperparameters["temperature"],
        generation_temperature=hyperparameters["generation_temperature"],
        missing=missing[hyperparameters["missing"]],
    )
    if not hyperparameters["mask_used"]:
        return ops.mean(values)
    return ops.mean(mean_over_kept(values, inputs["labels"] >= 0))


def _stored(inputs):
    return inputs["teacher_topk_probs"], inputs["teacher_topk_ids"]


def _reinforced(inputs, hyperparameters, weights):
    target = reinforced_target(
        *_stored(inputs),
        num_classes=hyperparameters["num_classes"],
        has_tail=hyperparameters["method"] == "smooth",
    )
    return ops.mean(soft_label_divergence(target, inputs["student_logits"]))


def _fast_soft_label(inputs, hyperparameters, weights):
    kind = hyperparameters["soft_label_type"]
    renormalise = kind in ("marginal_renorm", "hard")
    make = renormalised_target if renormalise else uniform_tail_target
    target = make(*_stored(inputs), num_classes=hyperparameters["num_classes"])
    values = soft_label_divergence(
        target,
        inputs["student_logits"],
        temperature=hyperparameters["temp"],
        divergence="cross_entropy",
    )
    return ops.mean(values)


def _pixel(inputs, hyperparameters, weights):
    temperature = hyperparameters["temperature"]
    return ops.mean(pixel_divergence(*_logits(inputs), temperature=temperature))


def _pixel_cross_entropy(inputs, hyperparameters, weights):
    # The reference sums over the batch.
    return ops.sum(pixel_divergence(*_logits(inputs), divergence="cross_entropy"))


def _pixel_ignore(inputs, hyperparameters, weights):
    used = hyperparameters["labels_used"]
    values = pixel_divergence(
        *_logits(inputs),
        inputs["labels"],
        temperature=hyperparameters["temperature"],
        ignored_label=hyperparameters["ignore_index"] if used else None,
    )
    # The reference takes the mean over the classes too.
    return ops.mean(values) / inputs["student_logits"].shape[-1]


def _pixel_mean(inputs, hyperparameters, weights):
    temperature = hyperparameters["temperature"]
    teacher, student = _logits(inputs)
    if hyperparameters["upsample"]:
        teacher, student = _enlarged(teacher), _enlarged(student)
    values = pixel_divergence(teacher, student, temperature=temperature)
    # The reference takes the mean over the classes too, without temperature².
    return ops.mean(values) / (student.shape[-1] * temperature**2)


def _enlarged(maps):
    """8 times as large, bilinear with the corners aligned."""
    rows, columns = (ops.convert_to_tensor(_weights(n)) for n in maps.shape[1:3])
    return ops.einsum("mh,nw,bhwc->bmnc", rows, columns, maps)


def _weights(size):
    position = np.arange(8 * size) * (size - 1) / (8 * size - 1)
    distance = np.abs(position[:, None] - np.arange(size))
    return np.maximum(1.0 - distance, 0.0).astype("float32")


def _pixel_masked(inputs, hyperparameters, weights):
    teacher, student = _logits(inputs)
    num_classes = teacher.shape[-1]
    # The teacher's temperature is not the student's here: its logits are scaled first.
    values = pixel_divergence(
        hyperparameters["alpha"] * teacher,
        student[..., :num_classes],
        inputs["labels"],
        divergence="cross_entropy",
        ignored_label=hyperparameters["ignore_index"],
    )
    kept = np.count_nonzero(inputs["labels"] != hyperparameters["ignore_index"])
    total = ops.mean(values) * kept / num_classes
    if hyperparameters["reduction"] == "sum":
        return total
    return total / inputs["labels"].size


ADAPTERS: dict[str, Callable] = {
    "ttm": _transformed_teacher(weighted=False),
    "wttm": _transformed_teacher(weighted=True),
    "ctkd_kd": _curriculum,
    "ctkd_dkd": _curriculum,
    "dtkd": _dynamic,
    "skd_instance": _instance,
    "skd_direction": _direction,
    "sdd_kd": _scale_decoupled,
    "sdd_dkd": _scale_decoupled,
    "token_kl_masked": _token,
    "sparse_kl_topk": _sparse,
    "sparse_uniform_tail_kl": _reinforced,
    "fkd_soft_label": _fast_soft_label,
    "seg_pixel_kd": _pixel,
    "seg_pixel_ce": _pixel_cross_entropy,
    "seg_pixel_kd_ignore": _pixel_ignore,
    "seg_pixel_kd_mean": _pixel_mean,
    "seg_pixel_ce_masked": _pixel_masked,
}
