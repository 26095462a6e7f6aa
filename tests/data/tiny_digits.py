"""A data set of tensorflow-datasets that is generated here, from scikit-learn."""

import tensorflow_datasets as tfds
from sklearn.datasets import load_digits


class TinyDigits(tfds.core.GeneratorBasedBuilder):
    """140 digits as PNG images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="140 digits",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(0, 100),
            "test": self._generate_examples(100, 140),
        }

    def _generate_examples(self, start, stop):
        x, y = load_digits(return_X_y=True)
        for row in range(start, stop):
            image = (x[row] * 15).astype("uint8").reshape(8, 8, 1)
            yield row, {"image": image, "label": int(y[row])}
