"""`al.toml`: every key is optional, and a wrong one names itself and what is allowed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from al_assets.selection.strategies import STRATEGIES
from al_assets.selection_settings import STRATEGY_NAMES
from al_assets.settings import (
    Settings,
    SettingsError,
    describe_settings,
    load_settings,
    parse_settings,
)


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(tomllib.loads(text))
    message = str(caught.value)
    assert message.startswith("al.toml: ")
    assert "\n" not in message
    return message.removeprefix("al.toml: ")


def test_no_file_and_an_empty_file_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "al.toml").touch()
    assert load_settings(None) == load_settings(tmp_path / "al.toml") == Settings()


def test_every_default_would_be_accepted_if_it_were_written() -> None:
    assert parse_settings(Settings().model_dump()) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tusk = 1", "tusk is not a setting; allowed here: alerts, archive, "),
        ("[selecton]\nseed = 1", "selecton is not a setting; allowed here: alerts, archive, "),
        ("[selection]\nbatchsize = 5", "[selection] batchsize is not a setting; allowed here: batch_size, "),
        (
            "[archive.deep]\nx = 1",
            "[archive] deep is not a setting; allowed here: owners, split_by, split_seed",
        ),
        ('task = "detection"', "task = \"detection\": Input should be 'single_label' or 'multi_label'"),
        ("archive = 3", "archive = 3: is a section: write [archive] and its keys below it"),
        ("[classes]\naliases = 3", "[classes] aliases = 3: is a section: write [classes.aliases]"),
        (
            "[selection]\nbatch_size = 0",
            "[selection] batch_size = 0: Input should be greater than or equal to 1",
        ),
        ('[selection]\nbatch_size = "50"', '[selection] batch_size = "50": Input should be a valid integer'),
        ("[selection]\nbatch_size = 50.5", "[selection] batch_size = 50.5: Input should be a valid integer"),
        (
            '[selection]\nstrategy = "bagde"',
            '[selection] strategy = "bagde": there is no such strategy; choose one of activelab, auto, badge, ',
        ),
        ('[selection]\nstrategy = "bagde"', 'or name a function of your own as "package.module:function"'),
        ('[selection]\nstrategy = "house rules:mine"', "there is no such strategy"),
        (f'[selection]\nstrategy = "house.{"r" * 60}:mine"', "the name is longer than 64 characters"),
        ('[selection]\nstrategy = "similarity"', "name some under [mining] examples"),
        ("[mining]\nsites = 3", "[mining] sites = 3: should be a list of names"),
        ("[mining]\nexamples = [true]", "should be a list of names"),
        ("[mining]\nbox_area_from = 0.5\nbox_area_to = 0.2", "box_area_from is larger than box_area_to"),
        (
            '[quota]\nslices = {"sit:north" = 0.2}',
            '[quota.slices] "sit" is no dimension; choose one of site, ',
        ),
        (
            "[quota]\nslices = {north = 0.2}",
            '"north" names no slice; write "dimension:name", e.g. "site:north"',
        ),
        ('[quota]\nslices = {"light:dusk" = 0.2}', '"dusk" is no light; choose one of dark, medium, bright'),
        (
            '[quota]\nslices = {"site:a" = 2}',
            "[quota.slices] site:a = 2: Input should be less than or equal to 1",
        ),
        (
            '[quota]\nslices = {"site:a" = 0.8}',
            "[quota] the shares of site:a, worse_slices, drifted_videos are 1.2 together, and at most 1",
        ),
        (
            "[mining]\nconfidence_below = 0",
            "[mining] confidence_below = 0: Input should be greater than 0",
        ),
        (
            "[frames]\nframes_per_second = true",
            "[frames] frames_per_second = true: Input should be a valid number",
        ),
        ("[frames]\nframes_per_second = 0", "[frames] frames_per_second = 0: Input should be greater than 0"),
        (
            "[frames]\nframes_per_second = nan",
            "[frames] frames_per_second = NaN: Input should be a finite number",
        ),
        (
            "[retraining]\nmax_age_days = inf",
            "[retraining] max_age_days = Infinity: Input should be a finite number",
        ),
        (
            "[training]\nbalance_classes = 1",
            "[training] balance_classes = 1: Input should be a valid boolean",
        ),
        ("[selection]\nseed = -1", "[selection] seed = -1: Input should be greater than or equal to 0"),
        (
            '[embeddings]\ndevice = "gpu"',
            '[embeddings] device = "gpu": should be `auto`, `cpu`, `cuda` or `cuda:1`',
        ),
        ('[classes]\nnames = "zero"', '[classes] names = "zero": should be a list of names'),
        ('[classes]\nnames = [""]', '[classes] names = [""]: the class name is empty'),
        ('[classes]\nnames = ["Nobody"]', '"Nobody" is an answer of its own and cannot be a class'),
        ('[classes]\nnames = ["a", "A"]', '[classes] "A" would mean both "a" and "A"'),
        ('[classes.aliases]\na = ["x"]\nb = ["X"]', '[classes] "X" would mean both "a" and "b"'),
        ("[selection]\nrandom_fraction = 0.9\nevaluation_fraction = 0.2", "together are more than 1"),
        ('[promotion]\nmetric = "accuracy"', '[promotion] metric = "accuracy" needs task = "single_label"'),
    ],
)
def test_a_wrong_key_or_value_names_itself_and_what_is_allowed(text: str, message: str) -> None:
    assert message in refused(text)


def leaves(model: Any = Settings, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, field in model.model_fields.items():
        inner = hasattr(field.annotation, "model_fields")
        found += leaves(field.annotation, (*path, name)) if inner else [(*path, name)]
    return found


@pytest.mark.parametrize("path", leaves(), ids=".".join)
def test_no_key_takes_a_date_and_each_says_which_it_is(path: tuple[str, ...]) -> None:
    *parents, key = path
    text = f"[{'.'.join(parents)}]\n{key} = 2020-01-01" if parents else f"{key} = 2020-01-01"
    assert refused(text).startswith(f"[{'.'.join(parents)}] {key} = " if parents else f"{key} = ")


def test_all_faults_are_told_at_once() -> None:
    message = refused("[frames]\nstill_quality = 1\n[drift]\nwindow_videos = 0\nwindow = 3")
    assert all(
        key in message for key in ("[frames] still_quality", "[drift] window_videos", "[drift] window is")
    )


def test_a_long_value_is_cut() -> None:
    assert len(refused(f'task = "{"x" * 5000}"')) < 200


def test_whole_numbers_do_where_fractions_are_meant() -> None:
    assert parse_settings({"frames": {"frames_per_second": 2}}).frames.frames_per_second == 2


def test_class_names_are_kept_in_the_form_in_which_exports_are_compared() -> None:
    found = parse_settings(
        {"classes": {"names": [" fifi ", "Cafe\u0301"], "aliases": {"fifi": ["Fi"]}}}
    ).classes
    assert found.names == ("fifi", "Caf\u00e9")
    assert found.aliases == {"fifi": ("Fi",)}


def test_the_strategies_one_may_set_are_those_there_are() -> None:
    assert sorted(STRATEGY_NAMES) == sorted(STRATEGIES)


def test_a_strategy_may_be_a_function_of_the_users_own() -> None:
    found = parse_settings({"selection": {"strategy": "house.rules:mine"}})
    assert found.selection.strategy == "house.rules:mine"


def test_examples_are_frames_by_number_or_by_name() -> None:
    found = parse_settings({"mining": {"examples": [16777216, "gate-1/250"]}})
    assert found.mining.examples == ("16777216", "gate-1/250")


def test_reading_the_settings_loads_no_strategy() -> None:
    heavy = {"torch", "sklearn", "al_assets.selection.strategies"}
    code = f"import sys, al_assets.settings; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"task = ", "not valid TOML"),
        ('task = "é"'.encode("latin-1"), "not UTF-8"),
        (b"[selection]\nseed = 1\n[selection]\nseed = 2\n", "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "al.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"al.toml: {words}"):
        load_settings(file)


def test_a_file_from_windows_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "al.toml"
    file.write_bytes(b'\xef\xbb\xbftask = "single_label"\r\n')
    assert load_settings(file).task == "single_label"


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().frames.still_quality = 50  # type: ignore[misc]


def test_every_key_is_described_for_the_readme() -> None:
    described = describe_settings()
    for path in leaves():
        *parents, key = path
        name = f"[{parents[0]}] {key}" if parents else key
        (line,) = [line for line in described.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(line.split("|")[3]) > 10
        assert "None" not in line
