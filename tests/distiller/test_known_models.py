"""Models of keras.applications and KerasHub, made from settings, as both sides."""

import keras
import keras_hub
import numpy as np
import pytest

import keras_kd
from keras_kd.losses import AttentionDistillation, SoftTargetDistillation

VOCABULARY = 40


def trained(distiller, x, y, epochs=2, **options):
    """The losses of some epochs; all are finite, and weights have moved."""
    before = [weight.copy() for weight in distiller.student.get_weights()]
    history = distiller.fit(x, y, epochs=epochs, verbose=0, **options).history
    assert all(np.isfinite(values).all() for values in history.values())
    after = distiller.student.get_weights()
    assert any(not np.allclose(*pair) for pair in zip(before, after, strict=True))
    return history


@pytest.mark.slow
def test_networks_of_keras_applications():
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    y = generator.integers(0, 5, 8)
    settings = {"weights": None, "classes": 5, "input_shape": (32, 32, 3)}
    teacher = keras.applications.MobileNetV2(alpha=0.35, **settings)
    student = keras.applications.MobileNet(alpha=0.25, **settings)
    losses = [
        SoftTargetDistillation(4.0),
        AttentionDistillation("block_6_expand_relu", "conv_pw_3_relu"),
    ]
    distiller = keras_kd.Distiller(
        teacher,
        student,
        losses,
        [1.0, 10.0],
        teacher_preprocessing=keras.applications.mobilenet_v2.preprocess_input,
    )
    distiller.compile("adam", metrics=["accuracy"])
    trained(distiller, x, y)
    probabilities = distiller.student.predict(x, verbose=0)
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)


def transformer(width):
    """The settings of a small backbone."""
    return {
        "vocabulary_size": VOCABULARY,
        "num_layers": 1,
        "num_heads": 2,
        "hidden_dim": width,
        "intermediate_dim": 2 * width,
        "max_sequence_length": 10,
        "dropout": 0.0,
    }


@pytest.fixture
def texts():
    """Token ids and where they are no padding, a batch of 12 texts of up to 10."""
    generator = np.random.default_rng(0)
    ids = generator.integers(1, VOCABULARY, (12, 10))
    is_token = np.arange(10) < generator.integers(2, 11, (12, 1))
    return np.where(is_token, ids, 0), is_token


def test_text_classifiers_of_keras_hub(texts):
    ids, is_token = texts
    inputs = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": is_token.astype("int32"),
    }

    def make(width):
        backbone = keras_hub.models.BertBackbone(**transformer(width))
        return keras_hub.models.BertTextClassifier(
            backbone, num_classes=3, preprocessor=None, dropout=0.0
        )

    distiller = keras_kd.Distiller(make(16), make(8), alpha=0.5)
    distiller.compile(keras.optimizers.Adam(0.01))
    history = trained(distiller, inputs, np.arange(12) % 3, epochs=12)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.slow
def test_language_models_of_keras_hub(texts):
    ids, is_token = texts
    inputs = {"token_ids": ids[:, :-1], "padding_mask": is_token[:, :-1]}
    labels = ids[:, 1:]
    weight = (is_token[:, 1:]).astype("float32")

    def make(width):
        backbone = keras_hub.models.GPT2Backbone(**transformer(width))
        return keras_hub.models.GPT2CausalLM(backbone, preprocessor=None)

    distiller = keras_kd.Distiller(make(16), make(8), from_logits=True)
    distiller.compile(keras.optimizers.Adam(0.01))
    history = trained(distiller, inputs, labels, epochs=8, sample_weight=weight)
    assert history["student_loss"][-1] < history["student_loss"][0]
