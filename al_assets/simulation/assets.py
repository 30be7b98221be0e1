"""The asset `simulation`: strategies compared on the labels that stand. The experiment itself lives beside."""

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field

from al_assets.checkpoints.training_set import target_matrix
from al_assets.embeddings.assets import configured_embedder
from al_assets.keys import video_no_of
from al_assets.labels.assets import labels
from al_assets.pictures import picture
from al_assets.reports.plots import CurvePoint, learning_curve_svg
from al_assets.settings import Settings
from al_assets.simulation.experiment import Experiment, simulate
from resources.archive import Archive


class SimulationConfig(dg.Config):
    """How long and how often."""

    rounds: int = Field(8, ge=1, le=1_000, description="Rounds of labelling.")
    per_round: int = Field(10, ge=1, le=100_000, description="Frames a round.")
    seeds: int = Field(5, ge=1, le=1_000, description="Repetitions.")
    strategies: list[str] = Field(["random", "margin", "auto"], description="Strategies to compare.")


@dg.asset(group_name="simulation", kinds={"python"}, deps=[labels], code_version="1")
def simulation(
    context: dg.AssetExecutionContext,
    config: SimulationConfig,
    archive: Archive,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """Learning curves of strategies on the labels that stand: the labels answer in the person's place.

    The pool holds only frames that were labelled, so that it says which strategy would have been quicker, not
    how good the model is.
    """
    embedder_id = configured_embedder(settings.embeddings)
    labelled = archive.models.labelled()
    keys, targets = target_matrix(
        labelled["frame_id"], labelled["class_id"], labelled["present"], sorted(set(labelled["class_id"]))
    )
    there, vectors = archive.frames.vectors(embedder_id, keys.tolist())
    targets = targets[np.isin(keys, there)]
    split = labelled.drop_duplicates("frame_id").set_index("frame_id")["split"]
    experiment = Experiment(
        embeddings=vectors,
        targets=targets,
        groups=video_no_of(there),
        test=(split.reindex(there) != "train").to_numpy(),
        task=settings.task,
    )
    curves = simulate(
        experiment,
        strategies=config.strategies,
        rounds=config.rounds,
        per_round=config.per_round,
        seeds=config.seeds,
    )
    archive.storage.write("reports/simulation.csv", curves.to_csv(index=False).encode())
    last = curves[curves["labels"] == curves["labels"].max()].groupby("strategy")["macro_f1"].mean()
    return dg.MaterializeResult(
        metadata={
            "curves": dg.MetadataValue.url(archive.storage.uri("reports/simulation.csv")),
            "plot": picture(learning_curve_svg(_points(curves), "macro-F1")),
            **{f"macro_f1_{name}": float(value) for name, value in last.items()},
        }
    )


def _points(curves: pd.DataFrame) -> dict[str, list[CurvePoint]]:
    """Mean and range over the seeds."""
    found: dict[str, list[CurvePoint]] = {}
    for (name, count), group in curves.groupby(["strategy", "labels"]):
        values = group["macro_f1"]
        point = CurvePoint(int(str(count)), float(values.mean()), float(values.min()), float(values.max()))
        found.setdefault(str(name), []).append(point)
    return found
