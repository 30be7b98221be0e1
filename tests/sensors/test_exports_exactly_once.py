"""Whatever happens, and in whatever order: each version that stood still is imported once, no other is, none is lost.

AL_TEST_EXPORT_EXAMPLES sets how many stories are told; the default takes about a minute.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.export_world import LABELS, Happenings, KilledError, World

NAMES = st.sampled_from(["a.csv", "b.csv", "c.csv"])
EXAMPLES = int(os.environ.get("AL_TEST_EXPORT_EXAMPLES", "100"))


class Exports(RuleBasedStateMachine):
    """Arrivals, partial uploads, overwrites, deletions, renames, clock jumps, restarts, deaths and two daemons."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.world = World(folder)
        self.stack.callback(self.world.close)
        self.stack.enter_context(self.world.running())
        self.runs = 0

    @rule(name=NAMES, rows=st.integers(1, 3), cut=st.booleans(), anew=st.booleans())
    def a_file_arrives_or_grows_or_is_overwritten(
        self, name: str, rows: int, *, cut: bool, anew: bool
    ) -> None:
        before: frozenset[int] = frozenset() if anew else self.world.files.get(name, (frozenset(), 0))[0]
        self.world.write(name, before | self.world.new_rows(rows), cut=cut)

    @rule(name=NAMES, other=NAMES)
    @precondition(lambda self: self.world.files)
    def a_file_is_renamed(self, name: str, other: str) -> None:
        if name in self.world.files and name != other:
            self.world.rename(name, other)

    @rule(name=NAMES)
    def a_file_is_deleted(self, name: str) -> None:
        self.world.remove(name)

    @rule(hours=st.integers(-20_000, 20_000))
    def the_clock_jumps(self, hours: int) -> None:
        self.world.jump(hours)

    @rule()
    def the_sensor_looks(self) -> None:
        self.world.tick()

    @rule()
    def the_sensor_looks_twice_after_a_restart(self) -> None:
        self.world.imports.archive.database.close()
        self.world.tick()
        self.world.tick()

    @rule(
        step=st.sampled_from(["listed", "opened"]),
        name=NAMES,
        act=st.sampled_from(["write", "remove", "other daemon"]),
    )
    def something_happens_while_the_sensor_looks(self, step: str, name: str, act: str) -> None:
        acts = {
            "write": lambda: self.world.write(name, self.world.new_rows(1)),
            "remove": lambda: self.world.remove(name),
            "other daemon": lambda: self.world.go_on(name),
        }
        Happenings.planned = {step: acts[act]}
        self.world.tick()
        Happenings.planned = {}

    @rule(step=st.sampled_from(["", "opened", "stores", "inserted"]))
    def a_run_imports_or_dies(self, step: str) -> None:
        Happenings.planned = {step: self._die} if step else {}
        try:
            self.world.learn(self._run())
            self.world.end_runs(dg.DagsterRunStatus.SUCCESS)
        except KilledError:
            self.world.end_runs(dg.DagsterRunStatus.FAILURE)
        Happenings.planned = {}

    @rule(
        step=st.sampled_from(["opened", "stores"]),
        name=NAMES,
        act=st.sampled_from(["write", "remove", "learn"]),
    )
    def something_happens_while_a_run_imports(self, step: str, name: str, act: str) -> None:
        acts = {
            "write": lambda: self.world.write(name, self.world.new_rows(1)),
            "remove": lambda: self.world.remove(name),
            "learn": lambda: self.world.learn(self._run()),  # another run, which takes the claims
        }
        Happenings.planned = {step: acts[act]}
        self.world.learn(self._run())
        Happenings.planned = {}
        self.world.end_runs(dg.DagsterRunStatus.SUCCESS)

    @invariant()
    def nothing_is_imported_twice_or_before_it_stood_still(self) -> None:
        stored = self.world.stored()
        assert len(stored) == len(set(stored))
        assert set(stored) <= self.world.may

    @invariant()
    def no_version_is_registered_twice(self) -> None:
        for name, versions in self.world.registered().items():
            assert versions <= len(self.world.seen[name])

    def teardown(self) -> None:
        try:
            self.world.tick()
            self.world.tick()
            self.world.learn("last")
            stored = set(self.world.stored())
            assert self.world.must <= stored, "a version that stood still was lost"
            assert self.world.must <= self.world.may
            assert self.world.labels() == {row: LABELS[row % 2] for row in stored}
            statuses = {status for status, *_ in self.world.imports.ledger()}
            assert statuses <= {"imported", "quarantined"}
        finally:
            self.stack.close()

    def _run(self) -> str:
        self.runs += 1
        return f"run {self.runs}"

    @staticmethod
    def _die() -> None:
        raise KilledError


Exports.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=16,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # to explain takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEachVersionThatStoodStillIsImportedOnce = Exports.TestCase
