"""What surrounds the labelled frames: a sample of the unlabelled archive as a graph of look-alikes. No fit here.

Labels spread along the graph (Zhou et al., Learning with Local and Global Consistency, 2004), so that a frame takes
the class of labelled frames that it is connected with through dense regions; class mass normalisation (Zhu,
Ghahramani and Lafferty 2003) then gives each class the share that the labels say it has, so that neither a class with
well-connected labels floods the rest nor a long tail is flattened.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from al_assets.embeddings.whitening import Whitening
from al_assets.keys import Task

Floats = npt.NDArray[np.floating]
NEIGHBOURS = 10
SHARPNESS = 8.0
"""An edge weighs cosine ** SHARPNESS."""
NEAREST_ONLY = 16.0
"""The same for the edges from a labelled frame into the sample: a twin in the sample takes nearly all."""
ALPHA = 0.85
"""Share of a frame's say that comes from its neighbours; .7 to .95 do about alike, .99 forgets where labels are."""
PASSES = 25
BLOCK = 2048
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A sample of the archive with its graph: whitened vectors (u, r), edges (u, u) sparse and normalised."""

    whitening: Whitening
    vectors: torch.Tensor
    edges: torch.Tensor

    @classmethod
    def of(cls, vectors: Floats) -> Surroundings:
        """The graph over vectors (u >= 1, d) of frames drawn from the archive; u * u * 256 products.

        Raises ValueError for none and for NaN.
        """
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(f"a sample of the archive needs vectors (u >= 1, d), got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError(
                "vectors of the unlabelled sample hold NaN or infinity; embed those frames again"
            )
        whitening = Whitening.of(vectors)
        whitened = torch.from_numpy(whitening(vectors))
        units = _units(whitened)
        count = len(units)
        cosine, column = _nearest(units, units, min(NEIGHBOURS, max(count - 1, 1)), skip_self=count > 1)
        row = torch.arange(count).repeat_interleave(column.shape[1])
        weight = cosine.clamp_min(0).pow(SHARPNESS).reshape(-1)
        one_way = torch.sparse_coo_tensor(
            torch.stack([row, column.reshape(-1)]), weight, (count, count), check_invariants=False
        )
        both = (one_way + one_way.t()).coalesce()
        where, value = both.indices(), both.values()
        degree = torch.zeros(count).index_add_(0, where[0], value).clamp_min(_TINY)
        value = value / (degree[where[0]] * degree[where[1]]).sqrt()
        edges = torch.sparse_coo_tensor(
            where, value, (count, count), is_coalesced=True, check_invariants=False
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return cls(whitening, whitened, edges.to_sparse_csr())

    def __len__(self) -> int:
        """Frames in the sample."""
        return len(self.vectors)

    def say(self, labelled: Floats) -> torch.Tensor:
        """(u, m) sparse: what part of its say each labelled vector (m, d) puts on which frame of the sample.

        Raises ValueError for vectors of another width.
        """
        if labelled.shape[1] != len(self.whitening.mean):
            raise ValueError(
                f"labelled vectors are {labelled.shape[1]} wide and the unlabelled sample {len(self.whitening.mean)};"
                " use one embedder for both"
            )
        units = _units(torch.from_numpy(self.whitening(labelled)))
        cosine, column = _nearest(units, _units(self.vectors), NEIGHBOURS)
        weight = cosine.clamp_min(0).pow(NEAREST_ONLY)
        weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(_TINY)
        row = torch.arange(len(column)).repeat_interleave(column.shape[1])
        where = torch.stack([column.reshape(-1), row])
        return torch.sparse_coo_tensor(
            where, weight.reshape(-1), (len(self), len(labelled)), check_invariants=False
        ).coalesce()

    def spread(self, seeds: torch.Tensor) -> torch.Tensor:
        """(u, c) how much of each seed (u, c) reaches each frame: the fixed point, near enough, of F = aSF + (1-a)Y."""
        reached = seeds
        for _ in range(PASSES):
            reached = ALPHA * (self.edges @ reached) + (1 - ALPHA) * seeds
        return reached


def _units(vectors: torch.Tensor) -> torch.Tensor:
    """Rows at length 1; zero rows stay zero and are nobody's neighbour."""
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return torch.div(vectors, lengths.clamp_min(_TINY))


def _nearest(
    points: torch.Tensor, among: torch.Tensor, count: int, *, skip_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and positions (n, count) of each point's nearest rows of `among`; skip_self: not the same row."""
    cosines, columns = [], []
    for start in range(0, len(points), BLOCK):
        products = points[start : start + BLOCK] @ among.T
        if skip_self:
            rows = torch.arange(len(products))
            products[rows, start + rows] = -2.0
        best = products.topk(min(count, len(among)), dim=1)
        cosines.append(best.values)
        columns.append(best.indices)
    return torch.cat(cosines), torch.cat(columns)


@dataclass(frozen=True, eq=False)
class Guesses:
    """What the labels of some frames suggest for the sample: targets (u, k) int8, confidence (u, 1 or k) in [0, 1]."""

    targets: npt.NDArray[np.int8]
    confidence: npt.NDArray[np.float32]


def guess(
    surroundings: Surroundings,
    say: torch.Tensor,
    targets: npt.NDArray[np.int8],
    task: Task,
    weights: npt.NDArray[np.floating] | None = None,
) -> Guesses:
    """Spread targets (m, k) of the labelled frames behind `say`; a confidence of 0 is a frame that nothing reaches.

    weights: (m,) of the labelled frames, None for 1 each.
    single_label: the likeliest class, sure by 1 - entropy / log(classes met). multi_label: each class present or
    absent, sure by 1 - binary entropy; classes without a judged presence and absence stay unguessed (-1).
    """
    heavy = np.ones(len(targets)) if weights is None else np.asarray(weights)
    present = torch.from_numpy(((targets == 1) * heavy[:, None]).astype(np.float32))
    if task == "single_label":
        return _guess_class(surroundings.spread(say @ present), present.sum(dim=0))
    absent = torch.from_numpy(((targets == 0) * heavy[:, None]).astype(np.float32))
    return _guess_each(
        surroundings.spread(say @ present), surroundings.spread(say @ absent), present.sum(0), absent.sum(0)
    )


def _guess_class(reached: torch.Tensor, shown: torch.Tensor) -> Guesses:
    classes = int((shown > 0).sum())
    # One more each: a first label says little of a class's share.
    expected = torch.where(shown > 0, shown + 1, 0.0)
    mass = reached / reached.sum(dim=0).clamp_min(_TINY) * expected
    share = mass / mass.sum(dim=1, keepdim=True).clamp_min(_TINY)
    doubt = -torch.special.xlogy(share, share).sum(dim=1) / np.log(max(classes, 2))
    # A single class has nothing to be told apart from.
    sure = torch.where((mass.sum(dim=1) > 0) & (classes > 1), (1 - doubt).clamp(0, 1), 0.0)
    targets = np.zeros(reached.shape, dtype=np.int8)
    targets[np.arange(len(targets)), share.argmax(dim=1).numpy()] = 1
    return Guesses(targets, sure[:, None].numpy())


def _guess_each(
    present: torch.Tensor, absent: torch.Tensor, shown: torch.Tensor, denied: torch.Tensor
) -> Guesses:
    here = present / present.sum(dim=0).clamp_min(_TINY) * (shown + 1)
    gone = absent / absent.sum(dim=0).clamp_min(_TINY) * (denied + 1)
    total = here + gone
    share = here / total.clamp_min(_TINY)
    doubt = -(torch.special.xlogy(share, share) + torch.special.xlogy(1 - share, 1 - share)) / np.log(2)
    known = (total > 0) & ((shown > 0) & (denied > 0))
    sure = torch.where(known, (1 - doubt).clamp(0, 1), 0.0)
    targets = np.where(known.numpy(), (share > 0.5).numpy().astype(np.int8), np.int8(-1))
    return Guesses(targets, sure.numpy())
