"""`al bench`: every case runs and says its ratio. No speed is asserted: machines differ and are shared."""

import json
from pathlib import Path

import pytest

from al_assets.benches.cases import CASES, UnknownCaseError, run_case

RATIOS = {
    "ingest": {"index_vs_decode"},
    "embed": {"embed_vs_bare_model"},
    "pipeline": {"pipeline_vs_slower_h264", "pipeline_vs_slower_h265", "pipeline_vs_model"},
    "io": {
        "sqlite_write_vs_adbc",
        "sqlite_write_vs_to_sql",
        "sqlite_read_vs_adbc",
        "sqlite_read_vs_read_sql",
    },
    "score": {"score_vs_bare_kernel"},
    "dataset": {"dataset_vs_imagefolder", "resident_growth"},
    "views": {"sqlite_sightings_vs_plain_join", "sqlite_co_occurrence_vs_plain_join"},
    "labels": {
        "csv_import_vs_to_sql",
        "csv_import_peak_growth",
        "label_studio_import_vs_to_sql",
        "label_studio_import_peak_growth",
    },
    "margin": {"bounds_vs_scan_and_sort"},
    "checks": {"slowest_vs_plain_scan"},
    "peers": {"digits_auto_vs_best_peer"},
    "auto": {"digits_auto_vs_best_rival"},
    "reference": {
        f"{data}_{name}_vs_random"
        for data in ("digits", "digit_pairs")
        for name in ("least_confidence", "margin", "entropy", "auto")
    },
    "selection": {"core_set_vs_bare_blas", "typiclust_vs_scikit_activeml", "dropquery_vs_scikit_activeml"},
    "map": {"neighbours_kept_vs_two_components", "placing_vs_layout"},
    "similar": {"recall_at_10", "index_vs_exact"},
    "project": {"convert_vs_bare_product_and_write"},
    "drift": {"undrifted_ticks_left_alone"},
    "backfill": {"empty_and_bare_vs_real"},
    "design": {"sqlite_margin_vs_plain_write_seconds", "sqlite_rowid_vs_plain_mib"},
}


ELSEWHERE = {"loop", "ray"}
"""Cases with a test of their own: test_loop_bench.py, and test_ray_engine.py on a cluster that is there."""


@pytest.mark.parametrize("case", [case for case in CASES if case not in ELSEWHERE])
def test_a_case_gives_its_ratios_with_machine_and_versions(case: str, tmp_path: Path) -> None:
    result = json.loads(run_case(case, rows=2_000).to_json())
    assert set(result) == {"case", "measured", "ratios", "machine", "versions"}
    assert RATIOS[case] <= set(result["ratios"])
    assert all(ratio > 0 for ratio in result["ratios"].values())
    assert result["versions"]["torch"]


def test_an_unknown_case_names_those_there_are() -> None:
    with pytest.raises(UnknownCaseError, match=r"there are: ingest, embed, .*score, io, "):
        run_case("speed", rows=1)
