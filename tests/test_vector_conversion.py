"""Vectors of a smaller embedder are made of those that stand: whole, block by block, and from where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from al_assets import conversion
from al_assets.conversion import VectorsChangedError, converted, slice_of, split
from al_assets.embedder_choice import embedder_to_read, lacking_vectors, wanted_embedder
from al_assets.embedding_slices import EmbeddingSlices
from al_assets.embeddings.projection import Projection
from al_assets.projections import ProjectionState, _save, decide_projection
from al_assets.settings import EmbeddingsSettings
from al_assets.vector_versions import VectorVersions, load_projection, vector_versions
from al_assets.verification_files import FileChecks
from resources.errors import FileMissingError
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from resources.tables import embeddings
from sensors.embedder_switch import SwitchState, decide_switch
from support.vector_archive import EMBEDDER, VectorArchive

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SMALL = EmbeddingsSettings(dimensions=5)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VectorArchive:
    """Five videos with the backbone's vectors, and the settings' backbone taken to be the one that made them."""
    for module in ("embedder_choice", "projections", "vector_versions"):
        monkeypatch.setattr(f"al_assets.{module}.configured_embedder", lambda settings: EMBEDDER)
    world = VectorArchive(tmp_path)
    for number in range(1, 6):
        world.video(number, 20)
    return world


def fit(world: VectorArchive) -> VectorVersions:
    """The projection, fitted on what stands."""
    base = world.archive.embedders.get(EMBEDDER)
    assert base is not None
    _save(world.archive, base, Projection.of(world.archive.frames.drawn_from_all(EMBEDDER, 100, 1), 5))
    return VectorVersions(
        EMBEDDER,
        wanted := wanted_embedder(world.archive, SMALL),
        (wanted,),
        {wanted: load_projection(world.archive, wanted)},
    )


def write(world: VectorArchive, slices: object) -> None:
    for part in slices:  # type: ignore[attr-defined]
        assert isinstance(part, Slice)
        SliceWriter(world.archive.database).write("embeddings", part, now=NOW)


def assert_converted(world: VectorArchive, versions: VectorVersions, *numbers: int) -> None:
    for number in numbers:
        keys, wide = world.archive.frames.vectors_of_video(EMBEDDER, number)
        there, small = world.archive.frames.vectors_of_video(versions.wanted, number)
        assert there.tolist() == keys.tolist()
        assert np.array_equal(small, versions.made(versions.wanted, wide))


def test_every_vector_is_converted_in_blocks_of_consecutive_videos(
    world: VectorArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = fit(world)
    monkeypatch.setattr(conversion, "BLOCK_FRAMES", 45)
    blocks, rest = split(world.archive, versions, world.archive.videos.all())
    assert [[v.video_no for v in block.videos] for block in blocks] == [[1, 2], [3, 4], [5]]
    assert rest == []
    write(world, converted(world.archive, versions, blocks))
    assert_converted(world, versions, 1, 2, 3, 4, 5)
    assert world.archive.videos.lacking("embeddings", versions.wanted) == []


def test_a_conversion_that_is_killed_goes_on_with_what_is_left(
    world: VectorArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, archive = fit(world), world.archive
    monkeypatch.setattr(conversion, "BLOCK_FRAMES", 20)
    blocks, _ = split(archive, versions, archive.videos.all())
    write(world, islice(converted(archive, versions, blocks), 2))
    left, rest = split(archive, versions, archive.videos.all())
    assert [block.videos[0].video_no for block in left] == [3, 4, 5]
    # What stands is left to the other way, which finds nothing to do.
    assert [video.video_no for video in rest] == [1, 2]
    write(world, converted(archive, versions, left))
    assert_converted(world, versions, 1, 2, 3, 4, 5)


def test_a_long_video_and_one_with_half_of_its_vectors_are_converted_part_by_part_without_pixels(
    world: VectorArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, archive = fit(world), world.archive
    monkeypatch.setattr(conversion, "BLOCK_FRAMES", 10)
    (video,) = archive.videos.get(["v2"])
    blocks, rest = split(archive, versions, [video])
    assert (blocks, rest) == ([], [video])
    slices = EmbeddingSlices(archive, versions, rest, lambda line: None)
    assert list(slices.items()) == []
    write(world, slices.written([]))
    assert_converted(world, versions, 2)


def test_a_model_that_reads_the_wide_vectors_goes_on_getting_them(world: VectorArchive) -> None:
    wanted = fit(world).wanted
    assert vector_versions(world.archive, SMALL).written == (EMBEDDER, wanted)
    with world.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM serving")
    assert vector_versions(world.archive, SMALL).written == (wanted,)
    assert vector_versions(world.archive, EmbeddingsSettings()).written == (EMBEDDER,)


def test_models_read_the_old_vectors_until_no_video_that_they_see_lacks_new_ones(
    world: VectorArchive,
) -> None:
    archive = world.archive
    assert embedder_to_read(archive, SMALL) == wanted_embedder(archive, SMALL) == EMBEDDER
    versions = fit(world)
    assert embedder_to_read(archive, SMALL) == EMBEDDER
    blocks, _ = split(archive, versions, archive.videos.get(["v1", "v2", "v3", "v4"]))
    write(world, converted(archive, versions, blocks))
    assert embedder_to_read(archive, SMALL) == EMBEDDER
    blocks, _ = split(archive, versions, archive.videos.get(["v5"]))
    write(world, converted(archive, versions, blocks))
    assert embedder_to_read(archive, SMALL) == versions.wanted
    # A video that the model does not see holds nothing up.
    world.rows.video(6, frames_version="a", content_hash="h6")
    assert embedder_to_read(archive, SMALL) == versions.wanted


def test_going_back_to_a_model_whose_vectors_left_asks_for_them_anew(world: VectorArchive) -> None:
    versions, archive = fit(world), world.archive
    blocks, _ = split(archive, versions, archive.videos.all())
    write(world, converted(archive, versions, blocks))
    assert lacking_vectors(archive, SMALL) == []
    with archive.database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM embeddings WHERE embedder_id = '{EMBEDDER}'")
        connection.exec_driver_sql(f"DELETE FROM video_coverage WHERE version = '{EMBEDDER}'")
    assert lacking_vectors(archive, SMALL) == ["v1", "v2", "v3", "v4", "v5"]
    assert split(archive, vector_versions(archive, SMALL), archive.videos.all())[0] == []


def test_without_a_model_the_embedder_that_covers_more_is_read(world: VectorArchive) -> None:
    versions = fit(world)
    with world.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM serving")
    assert embedder_to_read(world.archive, SMALL) == world.archive.maps.embedder_in_use() == EMBEDDER
    blocks, _ = split(world.archive, versions, world.archive.videos.all())
    write(world, converted(world.archive, versions, blocks))
    assert embedder_to_read(world.archive, SMALL) == versions.wanted


def test_vectors_that_left_meanwhile_are_no_whole_video(world: VectorArchive) -> None:
    versions = fit(world)
    (block,), _ = split(world.archive, versions, world.archive.videos.all())
    with world.archive.database.write() as connection:
        connection.execute(sa.delete(embeddings).where(embeddings.c.frame_id == int(block.span.first)))
    with pytest.raises(VectorsChangedError, match="start it again"):
        slice_of(world.archive, versions, block)


def test_a_lost_projection_says_where_to_get_it(world: VectorArchive) -> None:
    versions = fit(world)
    row = world.archive.embedders.get(versions.wanted)
    assert row is not None
    world.archive.storage.delete(str(row.projection_uri))
    with pytest.raises((ValueError, FileMissingError), match="restore it from a backup"):
        load_projection(world.archive, versions.wanted)
    found = [each.line for each in FileChecks(world.archive, False, NOW).run()]
    assert any(line.startswith(f"missing: {row.projection_uri}, the projection of") for line in found)


@pytest.mark.parametrize(
    ("state", "go", "says"),
    [
        (ProjectionState(0), False, "asks for no smaller vectors"),
        (ProjectionState(256, fitted="net-pca256-1"), False, "net-pca256-1 is fitted"),
        (ProjectionState(256, width=128, vectors=9000), False, "asks for no fewer"),
        (ProjectionState(256, width=1280, vectors=1000), False, "24 vectors are missing of the 1024"),
        (ProjectionState(256, width=1280, vectors=2000, lacking=3), False, "3 videos lack them"),
        (ProjectionState(256, width=1280, vectors=20_000, lacking=3), True, "to be fitted"),
        (ProjectionState(256, width=1280, vectors=2000), True, "to be fitted"),
    ],
)
def test_a_projection_is_fitted_once_there_is_enough_to_fit_it_on(
    state: ProjectionState, go: bool, says: str
) -> None:
    decision = decide_projection(state)
    assert (decision.go, says in decision.reason) == (go, True)


@pytest.mark.parametrize(
    ("state", "go", "says"),
    [
        (SwitchState("new", None), False, "no model yet"),
        (SwitchState("new", "new"), False, "the newest model reads new"),
        (
            SwitchState("new", "old", behind=1),
            False,
            "1 video lacks vectors by new; until then models read old",
        ),
        (SwitchState("new", "old"), True, "every video has vectors by new, and the newest model reads old"),
    ],
)
def test_a_model_is_asked_for_once_on_the_new_vectors(state: SwitchState, go: bool, says: str) -> None:
    decision = decide_switch(state)
    assert (decision.go, says in decision.reason) == (go, True)
