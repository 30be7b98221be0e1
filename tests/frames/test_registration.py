"""What the listing means for the register: new, moved, copied, replaced, grown, gone and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from al_assets.frames.registration import Arrival, KnownVideo, group_arrivals, look, plan_registration
from resources.database import Database
from resources.queries.registrar import SplitRule
from resources.queries.videos import VideoRegister
from support.small_archives import START

RULE = SplitRule(by_video=lambda ordinal: "train")


def clip(path: str, etag: str = "1") -> Arrival:
    return Arrival(path, "video", etag, 10)


def known(video_id: str, path: str, content: str, etag: str = "1", **values: object) -> KnownVideo:
    return KnownVideo(video_id, path, "video", etag, content, **values)  # type: ignore[arg-type]


def test_images_of_a_folder_are_one_arrival_and_the_owners_table_is_none() -> None:
    found = group_arrivals(
        [("a/2.jpg", "x", 3), ("a/1.PNG", "y", 4), ("a/c.mp4", "z", 5), ("videos.csv", "", 1)]
    )
    assert [(a.path, a.kind, a.size_bytes) for a in found] == [("a", "images", 7), ("a/c.mp4", "video", 5)]
    assert found[0].members == (("a/1.PNG", 4), ("a/2.jpg", 3))


def test_a_folders_version_changes_with_any_of_its_stills() -> None:
    before, after = group_arrivals([("a/1.jpg", "x", 3)]), group_arrivals([("a/1.jpg", "y", 3)])
    assert before[0].etag != after[0].etag


def test_a_file_that_is_still_growing_is_not_read() -> None:
    first = look([clip("a", "1")], [], {}, limit=9)
    second = look([clip("a", "2")], [], {"a": ("1", first.looks["a"])}, limit=9)
    third = look([clip("a", "2")], [], {"a": ("2", second.looks["a"])}, limit=9)
    assert [bool(seen.settled) for seen in (first, second, third)] == [False, False, True]


def test_a_tick_reads_no_more_than_its_limit_and_the_rest_keeps_its_place() -> None:
    arrivals = [clip(name) for name in "abc"]
    seen = look(arrivals, [], {name: ("1", 2) for name in "abc"}, limit=2)
    assert [a.path for a in seen.settled] == ["a", "b"]
    assert seen.looks["c"] == 2


def test_content_at_a_new_path_moved_if_its_own_path_is_empty() -> None:
    plan = plan_registration([clip("b")], {"b": "A"}, [known("v1", "a", "A")])
    assert plan.moved == (("v1", clip("b")),)
    assert not plan.new + plan.copies + plan.missing + plan.superseded


def test_content_at_a_second_path_is_a_copy() -> None:
    plan = plan_registration([clip("a"), clip("b")], {"b": "A"}, [known("v1", "a", "A")])
    assert plan.copies == ((clip("b"), "A", "v1"),)


def test_of_two_new_files_with_one_content_the_second_is_a_copy() -> None:
    plan = plan_registration([clip("a"), clip("b")], {"a": "A", "b": "A"}, [])
    assert plan.new == ((clip("a"), "A"),)
    assert plan.copies == ((clip("b"), "A", "a"),)


def test_other_content_at_a_known_path_supersedes() -> None:
    plan = plan_registration([clip("a", "2")], {"a": "B"}, [known("v1", "a", "A")])
    assert plan.superseded == (("v1", "a"),)
    assert plan.new == ((clip("a", "2"), "B"),)


def test_the_same_content_under_a_new_version_was_touched() -> None:
    plan = plan_registration([clip("a", "2")], {"a": "A"}, [known("v1", "a", "A")])
    assert plan.touched == (("v1", clip("a", "2")),)
    assert not plan.new + plan.superseded


def test_two_videos_that_swap_their_names_both_keep_their_ids() -> None:
    plan = plan_registration(
        [clip("a", "2"), clip("b", "2")], {"a": "B", "b": "A"}, [known("v1", "a", "A"), known("v2", "b", "B")]
    )
    assert dict(plan.moved) == {"v2": clip("a", "2"), "v1": clip("b", "2")}
    assert not plan.superseded + plan.copies + plan.new


def test_a_video_set_aside_under_another_name_keeps_its_id_while_its_path_is_reused() -> None:
    plan = plan_registration(
        [clip("a", "2"), clip("old/a")], {"a": "B", "old/a": "A"}, [known("v1", "a", "A")]
    )
    assert plan.moved == (("v1", clip("old/a")),)
    assert plan.new == ((clip("a", "2"), "B"),)
    assert not plan.superseded


def test_a_file_renamed_over_another_supersedes_that_one() -> None:
    both = [known("v1", "a", "A"), known("v2", "b", "B")]
    plan = plan_registration([clip("a", "2")], {"a": "B"}, both)
    assert plan.moved == (("v2", clip("a", "2")),)
    assert plan.superseded == (("v1", "a"),)
    assert not plan.missing


def test_content_put_back_after_it_was_replaced_gets_its_id_back() -> None:
    former = known("v1", "a", "A", standing="superseded")
    plan = plan_registration([clip("a", "3")], {"a": "A"}, [former, known("v2", "a", "B", "2")])
    assert plan.revived == (("v1", clip("a", "3")),)
    assert plan.superseded == (("v2", "a"),)


def test_where_the_original_is_gone_the_video_lives_on_in_its_copys_place() -> None:
    copy = known("v2", "b", "A", standing="copy")
    plan = plan_registration([clip("b")], {}, [known("v1", "a", "A"), copy])
    assert plan.moved == (("v1", clip("b")),)
    assert plan.superseded == (("v2", "b"),)
    assert not plan.missing


def test_a_copy_that_is_touched_while_its_original_goes_is_taken_over_once() -> None:
    copy = known("v2", "b", "A", standing="copy")
    plan = plan_registration([clip("b", "2")], {"b": "A"}, [known("v1", "a", "A"), copy])
    assert plan.moved == (("v1", clip("b", "2")),)
    assert not plan.touched


def test_a_copy_with_other_content_by_now_does_not_stand_in_for_its_original() -> None:
    copy = known("v2", "b", "A", standing="copy")
    plan = plan_registration([clip("b", "2")], {"b": "C"}, [known("v1", "a", "A"), copy])
    assert plan.missing == ("v1",)
    assert plan.superseded == (("v2", "b"),)
    assert plan.new == ((clip("b", "2"), "C"),)


def test_a_copy_that_has_not_been_read_again_yet_is_not_trusted() -> None:
    copy = known("v2", "b", "A", standing="copy")
    plan = plan_registration([clip("b", "2")], {}, [known("v1", "a", "A"), copy])
    assert not plan.moved
    assert plan.missing == ("v1",)


def test_an_original_that_was_replaced_lives_on_in_its_copys_place() -> None:
    copy = known("v2", "b", "A", standing="copy")
    plan = plan_registration([clip("a", "2"), clip("b")], {"a": "C"}, [known("v1", "a", "A"), copy])
    assert plan.moved == (("v1", clip("b")),)
    assert plan.new == ((clip("a", "2"), "C"),)


def test_a_removed_video_is_missing_once_and_back_when_its_file_is() -> None:
    gone = known("v1", "a", "A", missing=True)
    assert plan_registration([], {}, [known("v1", "a", "A")]).missing == ("v1",)
    assert plan_registration([], {}, [gone]).missing == ()
    assert plan_registration([clip("a")], {}, [gone]).returned == ("v1",)


def test_another_file_at_a_missing_videos_path_does_not_bring_it_back() -> None:
    gone = known("v1", "a", "A", missing=True)
    assert plan_registration([clip("a", "2")], {}, [gone]).returned == ()
    plan = plan_registration([clip("a", "2")], {"a": "B"}, [gone])
    assert plan.superseded == (("v1", "a"),)


def test_a_folder_of_stills_that_changes_stays_the_same_video() -> None:
    folder = KnownVideo("v1", "a", "images", "1", "A")
    now = Arrival("a", "images", "2", 20, (("a/1.jpg", 20),))
    assert plan_registration([now], {"a": "B"}, [folder]).grown == (("v1", now, "B"),)
    assert plan_registration([now], {"a": "A"}, [folder]).grown == (("v1", now, "A"),)


def test_two_folders_that_swap_their_names_are_not_mistaken_for_grown_ones() -> None:
    folders = [KnownVideo("v1", "a", "images", "1", "A"), KnownVideo("v2", "b", "images", "1", "B")]
    arrivals = [Arrival("a", "images", "2", 1), Arrival("b", "images", "2", 1)]
    plan = plan_registration(arrivals, {"a": "B", "b": "A"}, folders)
    assert {video_id: arrival.path for video_id, arrival in plan.moved} == {"v1": "b", "v2": "a"}
    assert not plan.grown


def test_a_retired_video_is_followed_but_never_registered_again() -> None:
    retired = known("v1", "a", "A", standing="retired")
    assert plan_registration([clip("b")], {"b": "A"}, [retired]).moved == (("v1", clip("b")),)
    replaced = plan_registration([clip("a", "2")], {"a": "B"}, [retired])
    assert not replaced.superseded
    assert replaced.new == ((clip("a", "2"), "B"),)


def test_a_summary_says_what_changed() -> None:
    assert plan_registration([], {}, []).summary == "nothing changed"
    assert plan_registration([clip("a")], {"a": "A"}, []).summary == "1 new"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path_factory.mktemp("register") / "empty.db"))


class World:
    """Files (path -> content, version) beside a register that looks at them now and then."""

    def __init__(self, database: Database, limit: int) -> None:
        self.register, self.limit = VideoRegister(database), limit
        self.files: dict[str, tuple[str, str]] = {}
        self.version = 0
        self.ids: dict[str, str] = {}

    def put(self, path: str, content: str) -> None:
        self.version += 1
        self.files[path] = (content, str(self.version))

    def rename(self, old: str, new: str) -> None:
        if old in self.files and old != new:
            self.files[new] = self.files.pop(old)

    def tick(self) -> None:
        arrivals = [clip(path, etag) for path, (_, etag) in sorted(self.files.items())]
        standing = {"copy": "copy", "superseded": "superseded"}
        videos = [
            known(
                v.video_id,
                v.path,
                v.content_hash,
                v.etag,
                missing=v.missing_at is not None,
                standing=standing.get(v.status, "live"),
            )
            for v in self.register.all()
        ]
        seen = look(arrivals, videos, self.register.looks("videos"), limit=self.limit)
        hashes = {a.path: self.files[a.path][0] for a in seen.settled}
        self.register.register(plan_registration(arrivals, hashes, videos), {}, RULE, now=START)
        waiting = {a.path: (a.etag, 1, seen.looks[a.path]) for a in seen.waiting}
        self.register.record_looks("videos", waiting, START)
        for video in self.register.all():
            if video.status == "registered":  # one content, one id, whatever happens to it
                assert self.ids.setdefault(video.content_hash, video.video_id) == video.video_id


PATHS, CONTENTS = st.sampled_from("abcd"), st.sampled_from("ABC")
STEPS = st.one_of(
    st.tuples(st.just("put"), PATHS, CONTENTS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("tick")),
)


@given(steps=st.lists(STEPS, max_size=25), limit=st.sampled_from([1, 9]))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_to_files_each_content_ends_registered_once_where_it_is(
    empty: Path, steps: list[tuple[str, ...]], limit: int
) -> None:
    file = shutil.copy(empty, empty.with_name("world.db"))
    database = Database(url=f"sqlite:///{file}")
    try:
        world = World(database, limit)
        for step, *arguments in steps:
            if step == "remove":
                world.files.pop(arguments[0], None)
            else:
                getattr(world, step)(*arguments)
        for _ in range(8):
            world.tick()
        check(world)
    finally:
        database.close()


def check(world: World) -> None:
    videos = world.register.known()
    here = {path: content for path, (content, _) in world.files.items()}
    live = {v.content_hash: v for v in videos if v.status == "registered"}
    assert len(live) == sum(v.status == "registered" for v in videos)
    for content in set(here.values()):
        assert live[content].missing_at is None
        assert here[live[content].path] == content
    for content, video in live.items():
        assert (video.missing_at is None) == (content in here.values())
    copies = {v.path: v for v in videos if v.status == "copy" and v.missing_at is None}
    assert copies.keys() == here.keys() - {v.path for v in live.values() if v.missing_at is None}
    assert all(here[path] == copy.content_hash for path, copy in copies.items())
    assert world.register.looks("videos") == {}
    numbers = [video.video_no for video in world.register.all()]
    assert len(set(numbers)) == len(numbers)
