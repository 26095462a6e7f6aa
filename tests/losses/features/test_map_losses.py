"""What holds for every loss on feature maps that standardises, masks or reviews."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.losses.features.channel import ChannelDistillation
from keras_kd.losses.features.class_attention import ClassAttentionDistillation
from keras_kd.losses.features.classifier_reuse import ClassifierReuseDistillation
from keras_kd.losses.features.inter_channel import InterChannelDistillation
from keras_kd.losses.features.masked_generative import MaskedGenerativeDistillation
from keras_kd.losses.features.pearson import PearsonDistillation
from keras_kd.losses.features.prime_aware import PrimeAwareDistillation
from keras_kd.losses.features.representation import RepresentationDistillation
from keras_kd.losses.features.review import ReviewDistillation
from keras_kd.outputs import ModelOutputs

CLASSES = [
    ChannelDistillation,
    ClassAttentionDistillation,
    ClassifierReuseDistillation,
    InterChannelDistillation,
    MaskedGenerativeDistillation,
    PearsonDistillation,
    PrimeAwareDistillation,
    RepresentationDistillation,
    ReviewDistillation,
]
OPTIONS = {
    ChannelDistillation: {"temperature": 2.0},
    ClassAttentionDistillation: {"resolution": 3, "normalize": False},
    ClassifierReuseDistillation: {"reduction": 4},
    InterChannelDistillation: {"kernel_size": 3},
    MaskedGenerativeDistillation: {"mask": "positions", "seed": 3},
    PearsonDistillation: {"resize": "teacher"},
    PrimeAwareDistillation: {"epsilon": 0.1},
    RepresentationDistillation: {"exponent": 2.0, "temperature": 4.0},
    ReviewDistillation: {"most_channels": 2},
}
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def outputs(features, logits=None):
    features = tf.convert_to_tensor(features)
    if logits is None:
        logits = tf.zeros((features.shape[0], 4))
    return ModelOutputs(logits, {"map": features})


@each_class
def test_config_and_weights_survive_saving(cls):
    loss = cls("map", "map", **OPTIONS[cls])
    loss.build(*[ModelOutputs((None, 4), {"map": (None, 4, 4, 3)})] * 2)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert copy.get_config() == loss.get_config()
    assert OPTIONS[cls].items() <= copy.get_config().items()
    assert [w.shape for w in copy.weights] == [w.shape for w in loss.weights]


@each_class
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("teacher_value", [0.0, 1000.0])
@pytest.mark.parametrize("student_value", [0.0, -1000.0, "large"])
def test_gradient_is_finite_at_extremes(cls, batch, teacher_value, student_value):
    teacher = outputs(np.full((batch, 4, 4, 3), teacher_value, "float32"))
    shape = (batch, 4, 4, 3)
    if student_value == "large":
        values = 1000 * np.random.default_rng(0).normal(size=shape)
    else:
        values = np.full(shape, student_value)
    features = tf.convert_to_tensor(values.astype("float32"))
    loss = cls("map", "map")
    with tf.GradientTape() as tape:
        tape.watch(features)
        value = tf.reduce_sum(loss(teacher, outputs(features), training=True))
    gradients = tape.gradient(value, [features, *loss.trainable_variables])
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients if g is not None)


@pytest.mark.slow
def test_all_train_together_in_one_pass(teacher, student, arrays):
    distiller = keras_kd.Distiller(
        teacher, student, [cls("conv", "conv") for cls in CLASSES]
    )
    distiller.compile("adam")
    logs = distiller.train_on_batch(*arrays, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert len([name for name in logs if name.endswith("_loss")]) >= len(CLASSES)
