"""Where teacher and student look in the same images."""

from dataclasses import dataclass

import keras
import numpy as np

from keras_kd._checks import check_choice, invalid
from keras_kd.explain._spatial import spatial_layer
from keras_kd.explain._visualizers import METHODS, Explainable
from keras_kd.outputs import as_tensors, check_inputs, check_weights, find_head

_WHERE = "explain.maps"


@dataclass(frozen=True)
class Maps:
    """Where two models look in the same images, to score the same classes.

    Attributes:
        method: str, by which the maps were made: "grad_cam++", "score_cam", "saliency".
        teacher: float32 `(n, h, w)` in [0, 1], as large as the images; a map that is 0
            everywhere points nowhere.
        student: the same of the student.
        teacher_layer: str, the path of the layer whose channels were used; None for
            saliency, which goes back to the pixels.
        student_layer: the same of the student.
        classes: int `(n,)`, the class that each map explains.
        note: str, why saliency stands in for the method asked for; "" if it does not.

    Example:
        >>> lit = np.ones((1, 2, 2), "float32")
        >>> maps = Maps("saliency", lit, lit, None, None, np.array([3]), "")
        >>> maps.classes.tolist()
        [3]
    """

    method: str
    teacher: np.ndarray
    student: np.ndarray
    teacher_layer: str | None
    student_layer: str | None
    classes: np.ndarray
    note: str


def maps(
    teacher,
    student,
    images,
    *,
    classes=None,
    method="grad_cam++",
    seed=0,
    teacher_preprocessing=None,
):
    """Maps of where teacher and student look, made by tf-keras-vis.

    The layer is found: the end of the last stage with a kernel and more than one pixel.
    "grad_cam++" and "score_cam" weigh that layer's channels. They show where those
    channels respond that speak for a class, not which places a Flatten after them
    reads. Where one of the models has no such layer, saliency stands in for both,
    because maps of different methods cannot be compared.

    Args:
        teacher: Keras model of one output `(n, num_classes)`, logits, softmax or
            sigmoid; it is not changed.
        student: Keras model of the same classes.
        images: `(n, h, w, channels)`, as the student takes them.
        classes: int `(n,)`, the class to explain in each image; None for what the
            teacher chooses. For one unit 1 is yes, 0 no; for several sigmoid units the
            unit.
        method: "grad_cam++", "score_cam" (no gradients; slow, one pass for each
            channel) or "saliency" (SmoothGrad of 25 noisy copies).
        seed: int from 0 to 2³² - 1, of the noise of saliency. Same seed, same maps.
        teacher_preprocessing: None, or a function from `images` to what the teacher
            takes, in operations of Keras or TensorFlow.

    Returns:
        `Maps`.

    Raises:
        ValueError: A model, the images or the classes cannot be used.

    Reference:
        Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063 (Grad-CAM++);
        Wang et al., 2020, https://arxiv.org/abs/1910.01279 (Score-CAM); Smilkov et al.,
        2017, https://arxiv.org/abs/1706.03825 (SmoothGrad).
        Departures: gradients are those of logits, whatever the head; Grad-CAM++ takes
        positive ones alone, of which alphas sum to 1; Score-CAM weighs by the
        probability itself, as tf-keras-vis does, without the unmasked baseline;
        of so many channels that they do not fit in memory it takes those that vary
        most; SmoothGrad averages absolute gradients and takes the largest over
        channels.

    Example:
        >>> stack = [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="conv"),
        ...          keras.layers.Flatten(), keras.layers.Dense(3)]
        >>> model = keras.Sequential(stack)
        >>> found = maps(model, model, np.ones((2, 8, 8, 1)))
        >>> found.student_layer, found.student.shape
        ('conv', (2, 8, 8))
    """
    images = _checked_images(images)
    check_choice(_WHERE, "method", method, list(METHODS))
    _check_seed(seed)
    models = {"teacher": teacher, "student": student}
    prepare = {"teacher": teacher_preprocessing, "student": None}
    layers = {
        role: _checked_layer(role, model, images[:1], prepare[role])
        for role, model in models.items()
    }
    without = [role for role in models if layers[role] is None]
    note = ""
    if method != "saliency" and without:
        note = (
            f"Saliency of both instead of {method}: no layer with a kernel gives maps "
            f"in the {' and the '.join(without)}."
        )
        method = "saliency"
    if method == "saliency":
        layers = dict.fromkeys(models)
    explained = {
        role: Explainable(
            model, find_head(model), layers[role], prepare[role], images.shape[1:]
        )
        for role, model in models.items()
    }
    classes = _classes(explained, images, classes)
    teacher_maps, student_maps = (
        each.maps(method, images, classes, seed) for each in explained.values()
    )
    return Maps(method, teacher_maps, student_maps, *layers.values(), classes, note)


def _checked_images(images):
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype.kind not in "fiub" or min(images.shape) < 1:
        raise invalid(
            _WHERE,
            "`images` of shape (n, h, w, channels)",
            f"{images.dtype} of shape {images.shape}",
            "Add the axis of a single image or of grey with [None] or [..., None].",
        )
    images = images.astype("float32")
    if not np.isfinite(images).all():
        fix = "Leave out the images that could not be read."
        raise invalid(_WHERE, "finite `images`", "NaN or inf", fix)
    return images


def _check_seed(seed):
    is_int = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not is_int or not 0 <= seed < 2**32:
        fix = "Leave it out for 0."
        raise invalid(_WHERE, "`seed` to be an int from 0 to 2³² - 1", repr(seed), fix)


def _checked_layer(role, model, image, preprocessing):
    """The model's spatial layer or None, if the model can be explained at all."""
    if not isinstance(model, keras.Model):
        raise invalid(
            _WHERE,
            f"a Keras model as {role}",
            type(model).__name__,
            "Pass the model itself; of an ensemble one member.",
        )
    inputs = len(getattr(model, "inputs", None) or [None])
    if inputs != 1:
        fix = "Wrap it in a model of the images alone."
        raise invalid(_WHERE, f"one input of the {role}", f"{inputs} inputs", fix)
    check_weights(_WHERE, model, role)
    image = image if preprocessing is None else preprocessing(as_tensors(image))
    check_inputs(_WHERE, model, image)
    scores = model(image, training=False)
    shapes = [tuple(leaf.shape) for leaf in keras.tree.flatten(scores)]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise invalid(
            _WHERE,
            f"one output (n, num_classes) of the {role}",
            " and ".join(map(str, shapes)),
            "Wrap it in a model that returns the class scores to explain.",
        )
    return spatial_layer(model, image)


def _classes(explained, images, classes):
    """What to explain, int `(n,)`; both models must have it."""
    logits = {role: each.logits(images) for role, each in explained.items()}
    for role, scores in logits.items():
        if not np.isfinite(scores).all():
            fix = f"Check the {role}'s preprocessing and the range of the images."
            raise invalid(_WHERE, f"finite scores of the {role}", "NaN or inf", fix)
    units = [scores.shape[1] for scores in logits.values()]
    if units[0] != units[1]:
        got = f"{units[0]} of the teacher and {units[1]} of the student"
        raise invalid(_WHERE, "the same classes", got, "Explain models of one task.")
    scores, number = logits["teacher"], max(2, units[0])
    if classes is None:
        return scores.argmax(axis=1) if units[0] > 1 else (scores[:, 0] > 0).astype(int)
    classes = np.asarray(classes)
    fits = classes.shape == (len(images),) and classes.dtype.kind in "iu"
    if not fits or classes.min() < 0 or classes.max() >= number:
        raise invalid(
            _WHERE,
            f"`classes` to be {len(images)} ints from 0 to {number - 1}",
            f"{classes.dtype} of shape {classes.shape}"
            + (f", {classes.min()} to {classes.max()}" if fits else ""),
            "Leave it out to explain what the teacher chooses.",
        )
    return classes.astype("int64")
