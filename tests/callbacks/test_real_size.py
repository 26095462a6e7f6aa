"""Class tables and calibration of 1,000 classes."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import softmax

import keras_kd
from keras_kd.callbacks import ExpectedCalibrationError, PerClassComparison
from tests.real_size import CLASSES


def test_calibration_of_1000_classes_is_that_of_numpy():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 4, (2000, CLASSES)).astype("float32")
    y = np.where(
        generator.uniform(size=2000) < 0.4,
        logits.argmax(-1),
        generator.integers(0, CLASSES, 2000),
    )
    metric = ExpectedCalibrationError(from_logits=True)
    for start in range(0, 2000, 64):
        metric.update_state(y[start : start + 64], logits[start : start + 64])
    confidence = softmax(logits.astype("float64"), axis=-1).max(-1)
    is_right = logits.argmax(-1) == y
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            gap = confidence[inside].mean() - is_right[inside].mean()
            expected += inside.mean() * abs(gap)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_table_of_1000_classes_counts_what_predict_decides(mobilenet_v2, small_photos):
    x, y = small_photos.validation.arrays()
    # Labels that the teacher gets right for every second photo.
    chosen = mobilenet_v2.predict(x, verbose=0).argmax(-1)
    y = np.where(np.arange(len(y)) % 2, chosen, y)
    stack = [keras.Input(x.shape[1:]), layers.AveragePooling2D(32), layers.Flatten()]
    student = keras.Sequential([*stack, layers.Dense(CLASSES)])
    comparison = PerClassComparison((x, y), class_names=small_photos.class_names)
    distiller = keras_kd.Distiller(mobilenet_v2, student)
    distiller.compile(keras.optimizers.Adam(0.01))
    distiller.fit(x, y, epochs=3, verbose=0, callbacks=[comparison])
    teacher_right = chosen == y
    student_right = student.predict(x, verbose=0).argmax(-1) == y
    rows = comparison.table.rows
    assert len(rows) == CLASSES
    for number, row in enumerate(rows):
        of_class = y == number
        assert row.name == f"class {number:04d}"
        assert row.examples == of_class.sum()
        assert row.helped == (of_class & student_right & ~teacher_right).sum()
        assert row.hurt == (of_class & ~student_right & teacher_right).sum()
    assert comparison.table.total.hurt > 0
    assert len(str(comparison.table).splitlines()) == CLASSES + 2
