"""How far teacher and student look at the same places, and rank classes the same."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from keras_kd._checks import invalid
from keras_kd.explain._arrays import scores_of

_TOP = 0.2


@dataclass(frozen=True)
class ClassAgreement:
    """How far the maps of one class agree.

    Attributes:
        label: int, the class.
        examples: int > 0.
        rank_correlation: float in [-1, 1], the mean; NaN if it is defined for none.
        top_overlap: float in [0, 1], the mean; NaN if it is defined for none.

    Example:
        >>> agreement = MapAgreement(np.array([1.0]), np.array([0.5]), np.array([0.1]))
        >>> agreement.by_class([3])[0].label
        3
    """

    label: int
    examples: int
    rank_correlation: float
    top_overlap: float


@dataclass(frozen=True)
class MapAgreement:
    """How far two models' maps of the same images agree, image by image.

    Both measures are 1 for equal maps. NaN marks an image of which a map is constant
    and so points nowhere; means leave it out, and are NaN if nothing is left.

    Attributes:
        rank_correlation: float `(n,)` in [-1, 1], Spearman's, over the pixels.
        top_overlap: float `(n,)` in [0, 1], intersection over union of the top 20 %.
        chance_overlap: float `(n,)`, what two sets of these sizes, placed at random,
            would overlap: 0.11 where both are a fifth.

    Example:
        >>> ranks, tops = np.array([1.0, np.nan]), np.array([0.5, np.nan])
        >>> MapAgreement(ranks, tops, np.array([0.1, np.nan])).mean_top_overlap
        0.5
    """

    rank_correlation: np.ndarray
    top_overlap: np.ndarray
    chance_overlap: np.ndarray

    @property
    def mean_rank_correlation(self):
        """A float in [-1, 1]."""
        return _mean(self.rank_correlation)

    @property
    def mean_top_overlap(self):
        """A float in [0, 1]."""
        return _mean(self.top_overlap)

    @property
    def mean_chance_overlap(self):
        """A float in [0, 1]."""
        return _mean(self.chance_overlap)

    @property
    def undefined(self):
        """How many images have a constant map, an int."""
        return int(np.isnan(self.top_overlap).sum())

    def by_class(self, labels):
        """The means of each class that has images.

        Args:
            labels: int `(n,)`, the images' classes.

        Returns:
            A tuple of `ClassAgreement`, in the order of the class numbers.

        Raises:
            ValueError: There are more or fewer labels than images.
        """
        labels = np.asarray(labels)
        if labels.shape != self.top_overlap.shape:
            raise invalid(
                "MapAgreement.by_class",
                f"labels of shape {self.top_overlap.shape}",
                labels.shape,
                "Pass the class number of each image.",
            )
        rows = ((label, labels == label) for label in np.unique(labels))
        return tuple(
            ClassAgreement(
                int(label),
                int(own.sum()),
                _mean(self.rank_correlation[own]),
                _mean(self.top_overlap[own]),
            )
            for label, own in rows
        )


def map_agreement(maps):
    """How far the teacher's and the student's maps agree.

    The top 20 % of a map are the pixels that are at least as large as its ⌈0.2 · h·w⌉th
    largest, without those at the map's minimum: a map of which less than a fifth is lit
    has a smaller top, and two such maps in different places do not overlap in the dark.

    By chance, sets that are shares a and b of all pixels overlap by about
    ab / (a + b - ab), the ratio of the expected sizes: 0.2 / 1.8 = 0.11 for a fifth.
    Maps of real images agree more than that even if the student knows nothing, because
    both models are given the same edges (Adebayo et al.); compare with the maps of a
    student trained from scratch, not with chance alone.

    Args:
        maps: `Maps`.

    Returns:
        A `MapAgreement`; NaN for images of which a map is constant.

    Reference:
        Adebayo et al., 2018, https://arxiv.org/abs/1810.03292 (rank correlation of
        maps, and why a baseline is needed).
        Departures: the overlap of the top fifth is added; values are
        not made absolute, because maps here are at least 0.

    Example:
        >>> from keras_kd.explain import Maps
        >>> picture = np.arange(25.0).reshape(1, 5, 5) / 24
        >>> maps = Maps("saliency", picture, picture[:, ::-1, ::-1], None, None,
        ...             np.array([0]), "")
        >>> agreement = map_agreement(maps)
        >>> round(agreement.mean_rank_correlation, 3), agreement.mean_top_overlap
        (-1.0, 0.0)
    """
    teacher, student = (np.asarray(m, "float64") for m in (maps.teacher, maps.student))
    _check_maps(teacher, student)
    teacher, student = (m.reshape(len(m), -1) for m in (teacher, student))
    correlation = _spearman(teacher, student)
    tops = _top(teacher), _top(student)
    a, b = (top.mean(axis=1) for top in tops)
    both, either = (tops[0] & tops[1]).sum(axis=1), (tops[0] | tops[1]).sum(axis=1)
    is_defined = (a > 0) & (b > 0)
    overlap = np.where(is_defined, both / np.maximum(either, 1), np.nan)
    chance = np.where(is_defined, a * b / np.maximum(a + b - a * b, 1e-300), np.nan)
    return MapAgreement(correlation, overlap, chance)


def rank_agreement(teacher_logits, student_logits):
    """Whether the student ranks the classes as the teacher does, example by example.

    Args:
        teacher_logits: float `(n, num_classes)`, or probabilities: only their order
            counts.
        student_logits: the same shape, at least two classes.

    Returns:
        Float `(n,)` in [-1, 1], Spearman's rank correlation; NaN where all scores of a
        model are equal.

    Raises:
        ValueError: The shapes differ, there is one class, or a score is not finite.

    Example:
        >>> rank_agreement([[3.0, 2.0, 1.0]], [[9.0, 8.0, 0.0]]).round(3).tolist()
        [1.0]
    """
    where = "rank_agreement"
    teacher = scores_of(where, "teacher_logits", teacher_logits)
    student = scores_of(where, "student_logits", student_logits, most_like=teacher)
    if teacher.shape[1] < 2:
        fix = "One class has no order; look at reliability instead."
        raise invalid(where, "scores of at least 2 classes", "one", fix)
    return _spearman(teacher, student)


def _spearman(a, b):
    """Row by row: Pearson's correlation of average ranks, all rows at once."""
    a, b = (rankdata(rows, axis=1) for rows in (a, b))
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    product = (a * b).sum(axis=1)
    nothing = np.full(len(size), np.nan)
    return np.clip(np.divide(product, size, out=nothing, where=size > 0), -1, 1)


def _top(rows):
    place = rows.shape[1] - int(np.ceil(_TOP * rows.shape[1]))
    threshold = np.partition(rows, place, axis=1)[:, place : place + 1]
    return (rows >= threshold) & (rows > rows.min(axis=1, keepdims=True))


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _check_maps(teacher, student):
    same = teacher.shape == student.shape and teacher.ndim == 3 and teacher.size
    if not same or not np.isfinite(teacher).all() or not np.isfinite(student).all():
        raise invalid(
            "map_agreement",
            "finite maps of one shape (n, h, w)",
            f"{teacher.shape} of the teacher and {student.shape} of the student",
            "Pass what `keras_kd.explain.maps` returns.",
        )
