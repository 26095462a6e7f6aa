"""Layers and operations that leave values in the range that they have."""

from keras import layers

from keras_kd._keras_internals import operation_name

# What these do in inference mode: nothing.
IDENTITIES = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomCrop,
    layers.RandomErasing,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)
# Means of neighbours are in their range too; a file has the same scale for both.
_LAYERS = (
    *IDENTITIES,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Flatten,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.InputLayer,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.Permute,
    layers.Reshape,
    layers.Resizing,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
)
_OPERATIONS = (
    "AveragePool",
    "ExpandDims",
    "GetItem",
    "MaxPool",
    "Reshape",
    "Resize",
    "Squeeze",
    "Transpose",
)


def keeps_range(operation):
    """Whether the output of a layer or operation needs no range beside its input's."""
    return type(operation) in _LAYERS or operation_name(operation) in _OPERATIONS
