"""slice_quality: the slices of the model that serves, and no other's."""

from support.archive_rows import ArchiveRows


def test_slice_quality_has_the_serving_models_slices_only(archive: ArchiveRows) -> None:
    archive.serve("m")
    values = {"dimension": "site", "metric": "accuracy", "support": 30, "videos": 6, "difference": -0.25}
    archive.add("slice_metrics", checkpoint_id="m", slice="north", value=0.5, p_value=0.01, worse=1, **values)
    archive.add("slice_metrics", checkpoint_id="m", slice="süd", worse=0, **values)
    archive.add("slice_metrics", checkpoint_id="old", slice="west", worse=1, **values)
    columns = "slice, value, frames, videos, difference, p_value, worse"
    assert archive.query(f"SELECT {columns} FROM slice_quality ORDER BY slice") == [
        ("north", 0.5, 30, 6, -0.25, 0.01, 1),
        ("süd", None, 30, 6, -0.25, None, 0),
    ]
