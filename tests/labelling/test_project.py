"""What a project lacks, has twice, and offers as choices."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.labelling.project import (
    choices_of,
    complete_batch,
    configuration,
    doubles,
    missing,
    offers,
    task_for,
)
from al_assets.selection.labelling_tasks import labelling_config

CONFIG = labelling_config(["zero", 'se"ven & <b>'], "multi_label")


@dataclass(frozen=True)
class Task:
    task_id: int
    batch_id: int
    frame_id: int
    answered: bool
    begun: bool = False

    @property
    def touched(self) -> bool:
        return self.answered or self.begun


TASKS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans()), max_size=12
).map(lambda rows: [Task(number, *row) for number, row in enumerate(rows)])


@given(TASKS, st.dictionaries(st.integers(1, 3), st.sets(st.integers(1, 4))))
def test_after_adding_what_is_missing_and_removing_doubles_each_task_is_there_once(
    there: list[Task], wanted: dict[int, set[int]]
) -> None:
    added = [
        Task(100 + 10 * batch + frame, batch, frame, False)
        for batch, frames in missing(wanted, there).items()
        for frame in frames
    ]
    spare = set(doubles([*there, *added]))
    left = [task for task in [*there, *added] if task.task_id not in spare]
    open_ones = [(task.batch_id, task.frame_id) for task in left if not task.touched]
    assert len(open_ones) == len(set(open_ones))
    assert {(b, f) for b, frames in wanted.items() for f in frames} <= {
        (t.batch_id, t.frame_id) for t in left
    }
    assert {task for task in there if task.touched} <= set(left)


def test_the_newest_batch_is_complete_when_each_of_its_tasks_is_answered() -> None:
    assert complete_batch([]) == 0
    assert complete_batch([Task(1, 1, 1, False), Task(2, 2, 1, True)]) == 2
    assert complete_batch([Task(1, 2, 1, False), Task(2, 2, 2, True)]) == 0


def test_a_configuration_that_offers_the_classes_is_right_in_whatever_order() -> None:
    assert configuration(CONFIG, ['se"ven & <b>', "zero"], "multi_label") is None


def test_classes_come_and_go_and_what_the_owner_added_stays() -> None:
    own = CONFIG.replace('value="zero"', 'value="zero" hotkey="z"').replace(
        "</View>", '<TextArea name="note" toName="image"/></View>'
    )
    change = configuration(own, ["zero", "one"], "multi_label")
    assert change is not None
    exact, kept = change
    assert choices_of(exact).names == ("zero", "one", "nobody", "cannot tell")
    assert choices_of(kept).names == ("zero", 'se"ven & <b>', "one", "nobody", "cannot tell")
    for config in change:
        assert 'hotkey="z"' in config
        assert 'name="note"' in config
        assert offers(config, ["zero", "one"], "multi_label")


def test_another_task_is_another_kind_of_choice() -> None:
    names = ["zero", 'se"ven & <b>']
    assert not offers(CONFIG, names, "single_label")
    change = configuration(CONFIG, names, "single_label")
    assert change is not None
    assert not choices_of(change[0]).several


@pytest.mark.parametrize("config", ["", "<View/>", "<View></View>"])
def test_an_empty_configuration_is_made_anew(config: str) -> None:
    assert choices_of(config).names == ()
    change = configuration(config, ["zero"], "multi_label")
    assert change == (labelling_config(["zero"], "multi_label"),) * 2


def test_beside_an_owners_own_questions_ours_is_asked_too() -> None:
    own = (
        '<View><Image name="image" value="$image" brightnessControl="true"/><Choices name="animal" toName="image">'
        '<Choice value="zero" hotkey="z"/></Choices><TextArea name="notes" toName="image"/></View>'
    )
    change = configuration(own, ["zero", "one"], "multi_label")
    assert change is not None
    assert offers(change[0], ["zero", "one"], "multi_label")
    for kept in ("brightnessControl", 'name="animal"', 'hotkey="z"', "TextArea"):
        assert change[0].count(kept) == 1
    assert change[0].count("<Image ") == 1


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("<View>", "cannot be read; correct it"),
        ('<!DOCTYPE x [<!ENTITY e "e">]><View>&e;</View>', "cannot be read; correct it"),
        ('<View><TextArea name="answer" toName="x"/></View>', "no place for our question"),
        ('<View><Video name="image" value="$image"/></View>', "no place for our question"),
        ('<Group><Image name="image" value="$image"/></Group>', "no place for our question"),
    ],
)
def test_a_configuration_that_has_no_place_for_ours_is_refused_and_not_replaced(
    config: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        configuration(config, ["zero"], "multi_label")


def test_suggestions_are_under_the_names_that_are_offered_now() -> None:
    today = {"zero": "heron", "egret": "heron", "one": "one", "cannot tell": "cannot tell"}.get

    def suggested(*names: str) -> list[list[str]]:
        result = [{"from_name": "answer", "type": "choices", "value": {"choices": [*names]}}]
        task = {"data": {}, "predictions": [{"score": 0.9, "result": result}]}
        found = task_for(task, None, today)["predictions"]
        return [each["result"][0]["value"]["choices"] for each in found]

    assert suggested("zero", "egret", "one", "split") == [["heron", "one"]]
    assert suggested("cannot tell") == [["cannot tell"]]
    assert suggested("split") == []


def test_a_link_that_a_browser_can_follow_stays() -> None:
    link = '<a href="https://clips/v1.mp4#t=2.000" target="_blank">v1 at 0:02.000</a>'
    data = {"image": "x", "clip": "https://clips/v1.mp4#t=2.000", "clip_link": link}
    assert task_for({"data": data}, None)["data"] == data
    there = task_for({"data": {**data, "clip": "file:///v1.mp4#t=2.000"}}, "/data/upload/1/x.jpg")["data"]
    assert there == {"image": "/data/upload/1/x.jpg", "clip": None, "clip_link": "v1 at 0:02.000"}
