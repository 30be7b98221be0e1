"""SQL against itself: parents, ledger, coverage, the serving pointer. Storage is looked at in verification_files.py."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence

from al_assets import repairs
from al_assets.findings import Finding, Repair
from al_assets.keys import frame_range
from resources.queries.verification import VERSION, RowState, VideoRow
from resources.queries.videos import LIVE

BLOCK_VIDEOS = 64
"""Videos a statement."""
RESTORE = "restore the database from a backup (sql/BACKUP.md)"
LEFTOVERS = "no view shows them; `al archive verify --repair` removes them, or " + RESTORE
COVERED_BY = {"embeddings": "embeddings", "frame_scores": "predictions", "predictions": "predictions"}


def check_rows(state: RowState, *, deep: bool) -> Iterator[Finding]:
    """Findings in the tables; deep recomputes content hashes."""
    for line in state.damage():
        yield Finding("damaged", f"the database reports: {line}", RESTORE)
    yield from _serving(state)
    for child, column, parent, count in state.parentless():
        if (child, parent) != ("serving", "checkpoints"):
            what = f"{count} rows of {child} have no row of {parent} for their {column}"
            yield Finding("orphan rows", what, f"no view shows them; {RESTORE}")
    videos = state.videos()
    frames = yield from _frames(state, videos, deep=deep)
    for table in VERSION:
        yield from _versions(state, table, videos, frames)
    yield from _training_sets(state, deep=deep)
    for batch_id, selected, stored, _ in state.batches():
        if selected != stored:
            what = f"batch {batch_id} has {stored} of its {selected} frames in selections"
            yield Finding("changed", what, RESTORE)


def _serving(state: RowState) -> Iterator[Finding]:
    serving = state.serving()
    if serving is not None and serving not in {checkpoint_id for checkpoint_id, _, _ in state.checkpoints()}:
        what = f"{serving} serves and has no row in checkpoints"
        yield Finding("missing", what, f"promote another (`al checkpoints promote ID`), or {RESTORE}")


def _blocks(videos: Sequence[VideoRow]) -> Iterator[tuple[int, int]]:
    """Key ranges of some videos each, in order of their number."""
    for start in range(0, len(videos), BLOCK_VIDEOS):
        block = videos[start : start + BLOCK_VIDEOS]
        yield frame_range(block[0].video_no)[0], frame_range(block[-1].video_no)[1]


def _frames(
    state: RowState, videos: Sequence[VideoRow], *, deep: bool
) -> Generator[Finding, None, dict[int, int]]:
    """Frames against `videos` and the ledger; returns video_no -> frames."""
    found: dict[int, int] = {}
    for first, last in _blocks(videos):
        for number, (rows, strangers) in state.frame_counts(first, last).items():
            found[number] = rows
            if strangers:
                what = f"{strangers} of {rows} frames with keys of video number {number} name another video"
                owner = next(video.video_id for video in videos if video.video_no == number)
                yield Finding("orphan rows", what, LEFTOVERS, repairs.read_again(owner))
    yield from _elsewhere("frames", None, state.count("frames"), sum(found.values()))
    ledger = state.frame_writes()
    for video in videos:
        written = ledger.get(video.video_id, [])
        rows, expected = found.get(video.video_no, 0), _expected(video, written)
        again = f"materialise frames for the partition {video.video_id}, or {RESTORE}"
        if rows != expected:
            due = "it is retired" if video.status == "retired" else f"its last write had {expected}"
            what = f"{video.video_id} has {rows} frames in SQL, {due}"
            yield Finding("changed", what, again, _frames_anew(video))
        # Stills are renamed in place when their folder moves, which no write tells.
        elif (
            deep
            and rows
            and video.kind == "video"
            and state.hashes_of_frames(video.video_no, written) != [digest for _, _, digest in written]
        ):
            what = f"the frames of {video.video_id} are not those that were written (content hash)"
            yield Finding("changed", what, again, _frames_anew(video))
    return found


def _frames_anew(video: VideoRow) -> Repair:
    make = repairs.retire_again if video.status == "retired" else repairs.read_again
    return make(video.video_id)


def _expected(video: VideoRow, written: Sequence[tuple[int, int, str]]) -> int:
    return 0 if video.status == "retired" else sum(rows for _, rows, _ in written)


def _elsewhere(table: str, version: str | None, total: int, counted: int) -> Iterator[Finding]:
    if total != counted:
        named = table if version is None else f"{table} of {version}"
        what = f"{total - counted} rows of {named} have keys of videos that were never registered"
        yield Finding("orphan rows", what, LEFTOVERS, repairs.remove_strangers(table, version))


def _versions(
    state: RowState, table: str, videos: Sequence[VideoRow], frames: Mapping[int, int]
) -> Iterator[Finding]:
    """Rows of every version and video against the frames and what `video_coverage` says of them."""
    numbered = {video.video_no: video for video in videos}
    coverage = state.coverage(COVERED_BY[table])
    totals, known = state.versions(table), state.known_versions(table)
    for version in sorted(totals.keys() - known):
        what = f"{totals[version]} rows of {table} belong to {version}, which is not registered"
        yield Finding("orphan rows", what, LEFTOVERS, repairs.remove_unregistered(table, version))
    for version in sorted(known & (totals.keys() | coverage.keys())):
        counts: dict[int, tuple[int, int]] = {}
        for first, last in _blocks(videos):
            counts |= state.version_counts(table, version, first, last)
        counted = sum(rows for rows, _ in counts.values())
        yield from _elsewhere(table, version, totals.get(version, 0), counted)
        covered = coverage.get(version, {})
        for number in sorted(counts.keys() | {v.video_no for v in videos if v.video_id in covered}):
            video = numbered.get(number)
            rows, lost = counts.get(number, (0, 0))
            if video is None or video.video_id not in covered:
                name = video.video_id if video else f"video number {number}"
                what = f"{rows} rows of {table} of {version} for {name}, which video_coverage does not know"
                if video is not None and video.status in LIVE:
                    # A long video is written in parts, and covered with the last.
                    yield Finding("note", what, "a run that is under way, or the next one, does the rest")
                    continue
                repair = repairs.remove_uncovered(table, COVERED_BY[table], version, number)
                yield Finding("orphan rows", what, LEFTOVERS, repair)
            # Frames were read anew since: the version's turn comes, or nobody follows it any more.
            elif covered[video.video_id][0] == video.frames_version:
                expected = covered[video.video_id][1]
                yield from _covered(table, version, video, rows, lost, expected, frames.get(number, 0))


def _covered(
    table: str, version: str, video: VideoRow, rows: int, lost: int, expected: int, frames: int
) -> Iterator[Finding]:
    if lost:
        what = f"{lost} of {rows} rows of {table} of {version} for {video.video_id} have no frame"
        repair = repairs.remove_frameless(table, version, video.video_no)
        yield Finding("orphan rows", what, LEFTOVERS, repair)
    elif table != "predictions" and not rows == expected == frames:
        what = (
            f"{video.video_id} has {rows} rows in {table} of {version}; video_coverage says {expected} "
            f"and {frames} frames stand"
        )
        again = (
            f"materialise embeddings for the partition {video.video_id}"
            if table == "embeddings"
            else "`al archive verify --repair` has the next score make them anew"
        )
        repair = repairs.make_again(COVERED_BY[table], version, video.video_id)
        yield Finding("changed", what, f"{again}, or {RESTORE}", repair)


def _training_sets(state: RowState, *, deep: bool) -> Iterator[Finding]:
    stored = state.training_sets()
    for name, (rows, digest) in sorted(state.ledger("training_set").items()):
        found = stored.get(name, 0)
        if found != rows:
            what = f"training set {name} has {found} of its {rows} rows"
        elif deep and rows and state.hash_of_training_set(name) != digest:
            what = f"the rows of training set {name} are not those that were written (content hash)"
        else:
            continue
        yield Finding("changed", what, RESTORE)
