"""The asset `simulation`, a partition a strategy, on the labels that stand. The experiment itself lives beside."""

import io
import time
from collections.abc import Sequence

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field

from al_assets.checkpoints.training_set import target_matrix
from al_assets.embedder_choice import embedder_to_read
from al_assets.keys import video_no_of
from al_assets.labels.assets import labels
from al_assets.pictures import picture
from al_assets.selection.strategies import STRATEGIES
from al_assets.settings import Settings
from al_assets.simulation.experiment import BASELINE, Experiment, Plan, runnable
from resources.archive import Archive
from resources.storage import Storage

STRATEGY = dg.StaticPartitionsDefinition([name for name in STRATEGIES if runnable(name)])
"""Strategies are columns of the production tables; here each is an experiment of its own, made or made again alone."""
FOLDER = "reports/simulation"


class SimulationConfig(dg.Config):
    """How labels are bought, and how often."""

    rounds: int = Field(8, ge=1, le=1_000, description="Rounds of labelling.")
    per_round: int = Field(10, ge=1, le=100_000, description="Frames a round.")
    initial: int = Field(0, ge=0, description="Frames labelled at random before; 0 is a cold start.")
    candidates: int = Field(0, ge=0, description="Fresh frames shown a round; 0 for the whole pool.")
    seeds: int = Field(5, ge=1, le=1_000, description="Repetitions.")
    head: str = Field("logistic", description="Classifier, the same for all strategies.")

    def plan(self, strategy: str) -> Plan:
        """The plan of one strategy."""
        return Plan(
            strategies=(strategy,),
            rounds=self.rounds,
            per_round=self.per_round,
            initial=self.initial,
            candidates=self.candidates or None,
            seeds=self.seeds,
            head=self.head,
        )


@dg.asset(group_name="simulation", kinds={"python"}, deps=[labels], code_version="2", partitions_def=STRATEGY)
def simulation(
    context: dg.AssetExecutionContext,
    config: SimulationConfig,
    archive: Archive,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """Learning curves of a strategy on the labels that stand: the labels answer in the person's place.

    The pool holds only frames that were labelled, so that it says which strategy would have been quicker, not
    how good the model is. Summary and plot cover the strategies that stand for the same labels and settings.
    """
    # Here, not above: they load torch, which the code server does without.
    from al_assets.simulation.curves import simulate
    from al_assets.simulation.results import fingerprint, result_files

    name = context.partition_key
    experiment, plan = standing_labels(archive, settings), config.plan(name)
    curves = simulate(experiment, plan, clock=time.perf_counter)
    mark = fingerprint(experiment, plan)
    archive.storage.write(f"{FOLDER}/{name}.csv", curves.assign(experiment=mark).to_csv(index=False).encode())
    together = _standing(archive.storage, mark)
    files = result_files(together, experiment, plan, {"data": {"sha256": mark, "name": "labels that stand"}})
    for file, text in files.items():
        archive.storage.write(f"{FOLDER}/{file}", text.encode())
    last = curves[curves["labels"] == curves["labels"].max()]
    return dg.MaterializeResult(
        metadata={
            "curves": dg.MetadataValue.url(archive.storage.uri(f"{FOLDER}/curves.csv")),
            "plot": picture(files["curves.svg"]),
            "strategies": ", ".join(together["strategy"].unique()),
            "macro_f1": float(last["macro_f1"].mean()),
            "mean_average_precision": float(last["mean_average_precision"].mean()),
        }
    )


def standing_labels(archive: Archive, settings: Settings) -> Experiment:
    """The frames that have labels, those of training videos as the pool. ExperimentError where there are none."""
    labelled = archive.models.labelled()
    keys, targets = target_matrix(
        labelled["frame_id"], labelled["class_id"], labelled["present"], sorted(set(labelled["class_id"]))
    )
    there, vectors = archive.frames.vectors(embedder_to_read(archive, settings.embeddings), keys.tolist())
    split = labelled.drop_duplicates("frame_id").set_index("frame_id")["split"]
    return Experiment(
        embeddings=vectors,
        targets=targets[np.isin(keys, there)],
        groups=video_no_of(there),
        test=(split.reindex(there) != "train").to_numpy(),
        task=settings.task,
    )


def _standing(storage: Storage, mark: str) -> pd.DataFrame:
    """Curves of every strategy that was simulated on the same labels with the same settings, random first."""
    names: Sequence[str] = sorted(STRATEGY.get_partition_keys(), key=lambda name: (name != BASELINE, name))
    parts = []
    for name in names:
        if storage.exists(path := f"{FOLDER}/{name}.csv"):
            part = pd.read_csv(io.BytesIO(storage.read(path)), dtype={"picks": str})
            parts.append(part[part["experiment"] == mark].drop(columns="experiment"))
    return pd.concat(parts, ignore_index=True)
