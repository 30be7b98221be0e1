"""`al simulate`: its arguments. As thin as `cli.py`, which adds this command to its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from al_assets.commands.output import console

if TYPE_CHECKING:  # loads torch, which `al --help` does without
    from al_assets.simulate import Wish

Data = Annotated[
    Path | None,
    typer.Option(help="An .npz file with embeddings, labels and, where there are any, groups and split."),
]
Strategies = Annotated[
    str, typer.Option(help="Strategies, joined by commas; random is always run beside them.")
]
Initial = Annotated[int, typer.Option(min=0, help="Labels drawn at random before; 0 is a cold start.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds of labelling.")]
PerRound = Annotated[int, typer.Option(min=1, help="Labels a round.")]
Candidates = Annotated[
    int | None,
    typer.Option(min=1, help="Fresh rows shown a round, never shown again; all of the pool if not given."),
]
Seeds = Annotated[int, typer.Option(min=1, help="Repetitions.")]
TestGroups = Annotated[
    int | None,
    typer.Option(min=1, help="Whole groups held out where the file has no split; a fifth if not given."),
]
HeadName = Annotated[
    str, typer.Option("--head", help="Classifier, the same for all: logistic, propagated, auto.")
]
Cosine = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=1,
        help="Leave out rows as similar as this to one picked or labelled, as `al.toml` has it; 1 for off.",
    ),
]
PerClip = Annotated[int, typer.Option(min=0, help="Picks a group and round at most; 0 for no cap.")]
Collapse = Annotated[
    bool, typer.Option("--collapse", help="Neighbours in a group as alike as --cosine are one candidate.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes; the curves are the same.")]
FromArchive = Annotated[
    bool, typer.Option("--archive", help="The ground truth of the demo archive, or the labels that stand.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for curves.csv, summary.json and curves.svg.")]


def simulate(
    data: Data = None,
    strategies: Strategies = "",
    initial: Initial = 0,
    rounds: Rounds = 8,
    per_round: PerRound = 10,
    candidates: Candidates = None,
    seeds: Seeds = 5,
    test_groups: TestGroups = None,
    head: HeadName = "logistic",
    cosine: Cosine = 1,
    per_clip: PerClip = 0,
    collapse: Collapse = False,
    workers: Workers = 1,
    archive: FromArchive = False,
    out: Out = None,
) -> None:
    """Compare strategies with known labels in the person's place.

    They come from a file (--data) or the archive (--archive); with neither, the job `simulate` runs on the labels that
    stand and leaves its results in the archive's storage.
    """
    from al_assets.selection.redundancy import RedundancyRule
    from al_assets.simulate import Wish, simulate_file

    _check(data, archive, out)
    wish = Wish(
        strategies=tuple(name.strip() for name in strategies.split(",") if name.strip()),
        rounds=rounds,
        per_round=per_round,
        seeds=seeds,
        initial=initial,
        candidates=candidates,
        test_groups=test_groups,
        head=head,
        workers=workers,
        rule=RedundancyRule(
            per_clip=per_clip or None, cosine=cosine if cosine < 1 else None, collapse=collapse
        ),
    )
    if data is not None and out is not None:
        simulate_file(data, out, wish, _say)
    else:
        _simulate_archive(out, wish, _say)


def _simulate_archive(out: Path | None, wish: Wish, say: Callable[[str], None]) -> None:
    from al_assets.simulate_archive import simulate_archive, simulate_jobs
    from resources.environments import read_environment

    if out is not None:
        simulate_archive(read_environment(), out, wish, say)
    else:
        simulate_jobs(read_environment(), wish, say)


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _check(data: Path | None, archive: bool, out: Path | None) -> None:
    if data is not None and archive:
        raise ValueError("give --data or --archive, not both")
    if (data is not None or archive) and out is None:
        raise ValueError("name a folder for the results with --out")
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; name a folder for the results with --out")
    if data is None and not archive and out is not None:
        raise ValueError("--out goes with --data or --archive; without, results go to the archive's storage")
