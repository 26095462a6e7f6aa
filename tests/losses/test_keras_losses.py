"""Losses of keras.distillation inside our distiller."""

import warnings

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.losses import KerasLossAdapter, soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = ModelOutputs(GENERATOR.normal(0, 3, (6, 5)).astype("float32"))
STUDENT = ModelOutputs(GENERATOR.normal(0, 3, (6, 5)).astype("float32"))


def test_default_logits_distillation_warns_with_the_fix():
    with pytest.warns(UserWarning, match=r"SoftTargetDistillation\(temperature=3.0\)"):
        KerasLossAdapter(keras.distillation.LogitsDistillation())


def test_the_default_of_keras_compares_clipped_raw_logits():
    # What the warning says, held against the Keras that is installed.
    with pytest.warns(UserWarning, match="clipped"):
        loss = KerasLossAdapter(keras.distillation.LogitsDistillation(temperature=2.0))
    p, q = (np.clip(side.logits / 2.0, 1e-7, 1.0) for side in (TEACHER, STUDENT))
    clipped = (p * np.log(p / q)).sum(axis=-1).mean()
    right = soft_target_divergence(TEACHER.logits, STUDENT.logits, temperature=2.0)
    assert float(loss(TEACHER, STUDENT)) == pytest.approx(clipped, rel=1e-4)
    assert abs(clipped - float(np.mean(right))) > 1.0


def test_softened_divergence_of_keras_equals_ours():
    kl = keras.losses.KLDivergence()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = KerasLossAdapter(keras.distillation.LogitsDistillation(2.0, kl))
    ours = soft_target_divergence(TEACHER.logits, STUDENT.logits, temperature=2.0)
    assert float(loss(TEACHER, STUDENT)) == pytest.approx(
        float(np.mean(ours)), rel=1e-4
    )


def test_feature_distillation_takes_its_layers_from_the_same_pass(
    teacher, student, arrays
):
    feature = keras.distillation.FeatureDistillation("mse", "conv", "conv")
    kl = keras.losses.KLDivergence()
    distiller = keras_kd.Distiller(
        teacher, student, [keras.distillation.LogitsDistillation(2.0, kl), feature]
    )
    distiller.compile("adam")
    logs = distiller.train_on_batch(*arrays, return_dict=True)
    assert {"logits_loss", "feature_loss"} <= set(logs)
    assert logs["feature_loss"] > 0


def test_adapter_round_trips_its_config():
    loss = KerasLossAdapter(keras.distillation.FeatureDistillation("mse", "a", "b"))
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert (copy.teacher_layers, copy.student_layers) == (("a",), ("b",))
