"""Is there any structure in a cloud of points, into how many groups, and would they be found again?

Method: Ward's hierarchical clustering. First a gate: the best mean silhouette over 2..8 groups must
    beat that of 95 % of clouds drawn from one Gaussian with the same covariance (the null of
    SigClust: Liu et al., JASA 103, 2008), else there is one group. Then the number of groups is the
    one with the least BIC under the model that Ward implies, spherical groups of equal width
    (Fraley & Raftery, Computer Journal 41, 1998); BIC alone finds groups in one uniform cloud one
    time in six. Stability is the mean Jaccard similarity of a group with its nearest one in
    subsamples (Hennig, CSDA 52, 2007). Limits: the gate needs about eight points to see two clear
    groups.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

#: as many as the colour-blind-safe palette can tell apart, and as a person keeps in mind
MOST_GROUPS = 8
#: below four points any split is a story
FEWEST_POINTS = 4
_NULL_CLOUDS = 99
_ALPHA = 0.05
#: the gate's cost grows with the square of the points; this many show any structure worth a name
_GATE_POINTS = 150
_SUBSAMPLES = 25
_SUBSAMPLE_SHARE = 0.8
_SEED = 20250101


def grouped(points: Points) -> tuple[Labels, float]:
    """A group for each row of ``points`` (points by features), and the p-value of the gate.

    All rows get group 0 where there is no structure; the p-value is then above 0.05, or NaN where
    there were too few distinct points to ask.
    """
    count = len(points)
    if (
        count < FEWEST_POINTS
        or points.shape[1] == 0
        or len(np.unique(points, axis=0)) < FEWEST_POINTS
    ):
        return np.zeros(count, dtype=np.int64), float("nan")
    p_value = _structure_p(points)
    if p_value > _ALPHA:
        return np.zeros(count, dtype=np.int64), p_value
    cuts = _cuts(points)
    bics = [_bic(points, labels) for labels in cuts]
    return cuts[int(np.argmin(bics))], p_value


def stabilities(points: Points, labels: Labels) -> npt.NDArray[np.float64]:
    """For each group, 0 to 1: how much of it is found again without a fifth of the points."""
    groups = int(labels.max()) + 1
    if groups == 1:
        return np.ones(1)
    rng = np.random.default_rng(_SEED)
    size = max(groups + 1, round(_SUBSAMPLE_SHARE * len(points)))
    found: list[list[float]] = [[] for _ in range(groups)]
    for _ in range(_SUBSAMPLES):
        chosen = np.sort(rng.choice(len(points), size=size, replace=False))
        again = _cut(_ward(points[chosen]), groups)
        for group in range(groups):
            mine = labels[chosen] == group
            if mine.any():
                found[group].append(_best_jaccard(mine, again))
    return np.array([float(np.mean(scores)) if scores else 0.0 for scores in found])


def _best_jaccard(mine: npt.NDArray[np.bool_], labels: Labels) -> float:
    theirs = [labels == group for group in np.unique(labels)]
    return max(float((mine & other).sum() / (mine | other).sum()) for other in theirs)


def _structure_p(points: Points) -> float:
    """Share of unimodal clouds of the same size and covariance that look at least as grouped."""
    rng = np.random.default_rng(_SEED)
    if len(points) > _GATE_POINTS:
        points = points[np.sort(rng.choice(len(points), size=_GATE_POINTS, replace=False))]
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(points.T)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    observed = _best_silhouette(points)
    clouds = (rng.standard_normal(points.shape) @ root.T for _ in range(_NULL_CLOUDS))
    at_least = sum(_best_silhouette(cloud) >= observed for cloud in clouds)
    return (1 + at_least) / (1 + _NULL_CLOUDS)


def _best_silhouette(points: Points) -> float:
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(points))
    return max(_silhouette(distances, labels) for labels in _cuts(points))


def _silhouette(distances: Points, labels: Labels) -> float:
    """Mean silhouette (Rousseeuw, 1987); a group of one counts 0."""
    member = np.eye(int(labels.max()) + 1)[labels]
    sizes = member.sum(axis=0)
    rows = np.arange(len(labels))
    to_group = distances @ member
    own = to_group[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    to_group = to_group / sizes
    to_group[rows, labels] = np.inf
    nearest = to_group.min(axis=1)
    widest = np.maximum(own, nearest)
    lone = (sizes[labels] == 1) | (widest == 0)
    score = np.where(lone, 0.0, (nearest - own) / np.where(widest == 0, 1.0, widest))
    return float(score.mean())


def _bic(points: Points, labels: Labels) -> float:
    """BIC of spherical Gaussian groups with one common width; less is better."""
    count, features = points.shape
    groups = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=groups)
    centres = np.array([points[labels == group].mean(axis=0) for group in range(groups)])
    squares = float(((points - centres[labels]) ** 2).sum())
    # the spread of points that coincide is unknown, not nil: a hundredth of a log unit is as fine
    # as we look
    variance = max(squares / (features * (count - groups)), 1e-4)
    likelihood = -0.5 * count * features * np.log(2 * np.pi * variance) - 0.5 * squares / variance
    likelihood += float((sizes * np.log(sizes / count)).sum())
    parameters = groups * features + (groups - 1) + 1
    return float(-2 * likelihood + parameters * np.log(count))


def _ward(points: Points) -> Points:
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(points, "ward"))


def _cut(tree: Points, groups: int) -> Labels:
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, groups, "maxclust"), dtype=np.int64) - 1


def _cuts(points: Points) -> list[Labels]:
    """The tree cut into 2, 3, ... groups of on average two points or more."""
    tree = _ward(points)
    most = max(2, min(MOST_GROUPS, len(points) // 2))
    labels = [_cut(tree, groups) for groups in range(2, most + 1)]
    # equal heights cannot be cut between, so a cut may come back as one group
    return [cut for cut in labels if cut.max() > 0] or [np.zeros(len(points), dtype=np.int64)]
