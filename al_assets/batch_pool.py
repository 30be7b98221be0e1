"""The pool of the next batch as the archive has it: open frames, what the model says of them, what [mining] allows.

Not here: which of them are chosen (selection/), or the rows that a batch becomes (selection/assets.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from al_assets.candidates import candidates
from al_assets.checkpoints.training_set import target_matrix, why_not_trainable
from al_assets.embedder_choice import embedder_to_read
from al_assets.examples import load_checkpoint
from al_assets.frame_names import UnknownFrameError, frames_named
from al_assets.keys import video_no_of
from al_assets.quota_pool import reservations, wishes_of, with_extra
from al_assets.review.second_opinions import Trust
from al_assets.selection.asking_again import COLUMNS, Again, choose_again
from al_assets.selection.batch_plan import BatchPlan, BatchPolicy, plan_batch
from al_assets.selection.pool import Linear, Pool
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.strategies import needs
from al_assets.settings import MiningSettings, SelectionSettings, Settings
from resources.archive import Archive
from resources.queries.mining import MiningError, Restriction

if TYPE_CHECKING:  # loads torch, which the code server must not
    from al_assets.checkpoints.heads import Head


@dataclass(frozen=True)
class Circumstances:
    """What a batch is made from: model, embedder and frames, read from SQL."""

    embedder_id: str
    checkpoint_id: str | None
    head: "Head | None"


def circumstances(archive: Archive, settings: Settings) -> Circumstances:
    """The serving model and its embedder; while no model serves the embedder that a new one would read."""
    serving = archive.models.serving()
    if serving is None:
        return Circumstances(embedder_to_read(archive, settings.embeddings), None, None)
    return Circumstances(serving.embedder_id, serving.checkpoint_id, load_checkpoint(archive, serving))


def make_plan(
    archive: Archive, settings: Settings, chosen: Circumstances, budget: int, seed: Sequence[int]
) -> BatchPlan:
    """The next batch of `budget` frames: reads the pool, then one call of the pure planner.

    The random arm is drawn from all open frames, whatever [mining] allows: it says what the archive is like.
    """
    rng = np.random.default_rng(seed)
    rules = settings.selection
    everything = archive.selection.population(chosen.embedder_id, ["train"], repeats=False)
    only, notes = restriction_of(archive, chosen.checkpoint_id, settings.mining)
    found = candidates(archive, chosen.embedder_id, chosen.checkpoint_id, rules, only, everything, rng)
    if only.conditions():
        notes.insert(
            0, f"[mining] {found.allowed} of {len(everything)} open frames: {_told(settings.mining)}"
        )
    wishes, resting = wishes_of(archive, settings, chosen.checkpoint_id)
    table, extra = with_extra(archive, chosen.embedder_id, chosen.checkpoint_id, wishes, found, only, seed)
    pool = read_pool(archive, settings, chosen, table)
    return plan_batch(
        pool,
        video_no_of(pool.frame_ids),
        _times(table, pool.frame_ids),
        taken=known_frames(archive, chosen.embedder_id, archive.selection.taken()),
        holdout=archive.selection.population(chosen.embedder_id, ["validation", "test"], repeats=True),
        holdout_labels=archive.selection.holdout_labels(),
        strategy=rules.strategy,
        policy=_policy(rules, budget),
        rule=rule_of(rules),
        rng=rng,
        random_population=everything,
        again=ask_again(archive, settings, chosen, pool.probabilities, budget),
        sites=archive.selection.sites() if rules.per_site else None,
        notes=[*notes, *resting],
        reserved=reservations(archive, settings, chosen.checkpoint_id, wishes, pool.frame_ids, extra),
    )


def _policy(rules: SelectionSettings, budget: int) -> BatchPolicy:
    return BatchPolicy(
        size=budget,
        random_fraction=rules.random_fraction,
        evaluation_fraction=rules.evaluation_fraction,
        second_opinion_fraction=rules.second_opinion_fraction,
        evaluation_target=rules.evaluation_target,
    )


def rule_of(rules: SelectionSettings) -> RedundancyRule:
    """The rule of redundancy by the settings."""
    return RedundancyRule(
        minimum_gap_ms=round(rules.minimum_gap_seconds * 1000),
        per_clip=rules.per_clip or None,
        per_site=rules.per_site or None,
        cosine=rules.cosine if rules.cosine < 1 else None,
        collapse=rules.cosine < 1,
    )


def restriction_of(
    archive: Archive, checkpoint_id: str | None, mining: MiningSettings
) -> tuple[Restriction, list[str]]:
    """What [mining] lets a strategy choose from, and what rests of it. Raises MiningError for an unknown name."""
    areas = (mining.box_area_from, mining.box_area_to)
    only = archive.selection.restriction(
        checkpoint_id,
        class_names=mining.classes,
        confidence_below=mining.confidence_below if mining.confidence_below < 1 else None,
        box_area=areas if areas != (0, 1) else None,
        sites=mining.sites,
    )
    asks_the_model = only.class_ids or only.box_area or only.confidence_below is not None
    if checkpoint_id is None and asks_the_model:
        return only, ["[mining] classes, confidence_below and box areas rest until a model serves"]
    return only, []


def _told(mining: MiningSettings) -> str:
    parts = [f"{' or '.join(mining.classes)} predicted"] if mining.classes else []
    if mining.confidence_below < 1:
        parts.append(f"confidence below {mining.confidence_below:g}")
    if (mining.box_area_from, mining.box_area_to) != (0, 1):
        parts.append(f"a box of {mining.box_area_from:g} to {mining.box_area_to:g} of the frame")
    if mining.sites:
        parts.append(f"site {' or '.join(mining.sites)}")
    return ", ".join(parts)


def read_pool(archive: Archive, settings: Settings, chosen: Circumstances, table: pa.Table) -> Pool:
    """Candidates with their vectors and all that the strategy needs; table: frame_id, ascending.

    Targets have the model's classes first, in its order, then those that only labels know.
    """
    needed, head = needs(settings.selection.strategy), chosen.head
    keys, vectors = archive.frames.vectors(chosen.embedder_id, table["frame_id"].to_pylist())
    rows = archive.models.labelled()
    columns = list(head.class_ids) if head is not None else []
    columns += sorted(set(rows["class_id"]) - set(columns))
    rows = rows[rows["split"] == "train"]
    labelled_keys, targets = target_matrix(rows["frame_id"], rows["class_id"], rows["present"], columns)
    known_keys, labelled = archive.frames.vectors(chosen.embedder_id, labelled_keys.tolist())
    targets = targets[np.isin(labelled_keys, known_keys)]
    extras: dict[str, Any] = {}
    if head is not None and "committee" in needed:
        extras["committee"] = committee(settings, head, labelled, targets, known_keys, vectors)
    if head is not None and "linear" in needed:
        extras["linear"] = Linear(*head.folded())
    if "examples" in needed and settings.mining.examples:
        extras["examples"] = example_vectors(archive, chosen.embedder_id, settings.mining.examples)
    return Pool(
        frame_ids=keys,
        embeddings=vectors,
        probabilities=head.probabilities(vectors) if head is not None and len(keys) else None,
        task=settings.task,
        labelled_embeddings=labelled,
        labelled_targets=targets,
        groups=video_no_of(keys),
        **extras,
    )


def committee(
    settings: Settings,
    head: "Head",
    labelled: np.ndarray,
    targets: np.ndarray,
    keys: np.ndarray,
    vectors: np.ndarray,
) -> np.ndarray | None:
    """(members, n, k) probabilities of vectors (n, d) by models of the labelled frames `keys`; None without labels."""
    from al_assets.checkpoints.ensembles import fit_committee

    known = targets[:, : len(head.class_ids)]
    if why_not_trainable(known, settings.task):
        return None
    training = settings.training
    return fit_committee(
        labelled,
        known,
        None,
        task=settings.task,
        members=settings.selection.committee,
        seed=training.seed,
        groups=video_no_of(keys),
        l2=training.l2 or None,
        class_weighting=training.balance_classes,
    ).probabilities(vectors)


def example_vectors(archive: Archive, embedder_id: str, examples: Sequence[str]) -> np.ndarray:
    """(e, d) vectors of the frames named, in that order. Raises MiningError for one that is no frame with a vector."""
    try:
        found = frames_named(archive, examples)
    except UnknownFrameError as error:
        raise MiningError(f"[mining] examples: {error}") from error
    keys, vectors = archive.frames.vectors(embedder_id, found)
    lacking = next((text for text, key in zip(examples, found, strict=True) if key not in keys), None)
    if lacking is not None:
        raise MiningError(
            f"[mining] examples: {lacking!r} has no vector by {embedder_id}; run `ingest_videos` for it"
        )
    return vectors[np.searchsorted(keys, found)]


def ask_again(
    archive: Archive, settings: Settings, chosen: Circumstances, probabilities: np.ndarray | None, budget: int
) -> Again:
    """Judged frames to ask about again by the review of the model that serves; probabilities: its, of open frames."""
    names = archive.labels.classes().set_index("class_id")["name"]
    scored = archive.reviews.to_ask_again(chosen.checkpoint_id or "")
    split = archive.reviews.of_split_classes()
    table = scored.merge(split, on="frame_id", how="outer", suffixes=("", "_split"))
    table = table.assign(
        looks_wrong=table["class_id"].map(names),
        split_class=table["class_id_split"].map(names),
        annotators=table["annotators"].fillna(1).astype(int),
    )
    weights = Trust()
    if len(scored):
        weights = Trust(float(scored["model_weight"].iloc[0]), float(scored["annotator_weight"].iloc[0]))
    return choose_again(table[list(COLUMNS)], probabilities, weights, task=settings.task, size=budget)


def known_frames(archive: Archive, embedder_id: str, table: pa.Table) -> Frames:
    """Frames of a table of frame_id, ascending, and pts_ms: those that have a vector."""
    keys, vectors = archive.frames.vectors(embedder_id, table["frame_id"].to_pylist())
    return Frames(frame_ids=keys, video_no=video_no_of(keys), pts_ms=_times(table, keys), embeddings=vectors)


def _times(table: pa.Table, keys: np.ndarray) -> np.ndarray:
    """Times of the frames `keys`, which are among the table's ascending frame_ids."""
    at = np.searchsorted(table["frame_id"].to_numpy(), keys)
    return np.asarray(table["pts_ms"].to_numpy()[at])
