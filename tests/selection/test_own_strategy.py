"""A user's own strategy, named as package.module:function: called as it is written, and its answer checked."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import needs, strategy
from al_assets.selection.strategies.own import OwnStrategyError
from support.small_pools import small_pool

POOL = small_pool(task="multi_label")


def first_ones(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
    """The frames of lowest id."""
    order = np.argsort(pool.frame_ids)[:budget]
    return Picks(order, np.arange(len(order), dtype=float), ["low id"] * len(order))


def first_and_spare(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    return first_ones(pool, budget + spare, rng)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module `house.rules`."""
    module = ModuleType("house.rules")
    monkeypatch.setitem(sys.modules, "house", ModuleType("house"))
    monkeypatch.setitem(sys.modules, "house.rules", module)
    return module


def run(house: ModuleType, function: Any, budget: int = 5, spare: int = 0) -> Picks:
    house.mine = function  # type: ignore[attr-defined]
    return strategy("house.rules:mine")(POOL, budget, np.random.default_rng(0), spare=spare)


def refused(house: ModuleType, answer: Any) -> str:
    with pytest.raises(OwnStrategyError, match=r"^\[selection\] strategy 'house.rules:mine' ") as caught:
        run(house, lambda pool, budget, rng: answer, budget=2)
    return str(caught.value)


def test_a_function_of_three_arguments_is_a_strategy(house: ModuleType) -> None:
    picks = run(house, first_ones)
    assert picks.positions.tolist() == np.argsort(POOL.frame_ids)[:5].tolist()
    assert picks.reasons == ["low id"] * 5


def test_spare_picks_of_a_function_that_ranks_none_are_drawn(house: ModuleType) -> None:
    picks = run(house, first_ones, spare=len(POOL))
    assert picks.positions[:5].tolist() == run(house, first_ones).positions.tolist()
    assert sorted(picks.positions.tolist()) == list(range(len(POOL)))
    assert picks.reasons[5] == "drawn at random: house.rules:mine ranks no spare picks"


def test_drawn_spare_picks_do_not_depend_on_how_the_pool_is_stored(house: ModuleType) -> None:
    house.mine = first_ones  # type: ignore[attr-defined]
    shuffled = POOL.take(np.random.default_rng(3).permutation(len(POOL)))
    frames = [
        pool.frame_ids[
            strategy("house.rules:mine")(pool, 5, np.random.default_rng(0), spare=9).positions
        ].tolist()
        for pool in (POOL, shuffled)
    ]
    assert frames[0] == frames[1]


def test_a_function_that_takes_spare_ranks_them_itself(house: ModuleType) -> None:
    assert run(house, first_and_spare, spare=3).reasons == ["low id"] * 8


def test_more_than_there_are_is_asked_as_all_there_are(house: ModuleType) -> None:
    assert len(run(house, first_ones, budget=1000).positions) == len(POOL)


def test_what_a_function_needs_is_read_from_it_or_its_module(house: ModuleType) -> None:
    house.mine = first_ones  # type: ignore[attr-defined]
    assert needs("house.rules:mine") == frozenset()
    house.NEEDS = {"committee"}  # type: ignore[attr-defined]
    assert needs("house.rules:mine") == {"committee"}
    house.NEEDS = {"commitee"}  # type: ignore[attr-defined]
    with pytest.raises(
        OwnStrategyError, match="NEEDS 'commitee', which no pool has; it may need committee, "
    ):
        needs("house.rules:mine")


ANSWERS: list[tuple[Any, str]] = [
    ([1, 2], "answered list; return al_assets.selection.pool.Picks"),
    (None, "answered NoneType"),
    (Picks(np.array([0, len(POOL)]), np.zeros(2), ["a", "b"]), "picked position 40 of a pool of 40"),
    (Picks(np.array([0, -1]), np.zeros(2), ["a", "b"]), "picked position -1"),
    (Picks(np.array([3, 3]), np.zeros(2), ["a", "b"]), "picked a position twice"),
    (Picks(np.array([3]), np.zeros(1), ["a"]), "picked 1 where 2 were asked for"),
    (Picks(np.array([1, 2, 3]), np.zeros(3), ["a"] * 3), "picked 3 where 2 were asked for"),
    (Picks(np.array([1.0, 2.0]), np.zeros(2), ["a", "b"]), "must be (n,) integers"),  # type: ignore[arg-type]
    (Picks(np.array([1, 2]), np.array([0, np.nan]), ["a", "b"]), "one finite score for each pick"),
    (Picks(np.array([1, 2]), np.zeros(3), ["a", "b"]), "one finite score for each pick"),
    (Picks(np.array([1, 2]), np.zeros(2), ["a"]), "one reason for each pick"),
    (Picks(np.array([1, 2]), np.zeros(2), ["a", ""]), "one reason for each pick"),
]


@pytest.mark.parametrize(("answer", "message"), ANSWERS)
def test_an_answer_no_batch_can_be_made_of_says_what_to_mend(
    house: ModuleType, answer: Any, message: str
) -> None:
    assert message in refused(house, answer)


def test_a_function_that_fails_is_named_with_its_error(house: ModuleType) -> None:
    def fails(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
        raise KeyError("site")

    with pytest.raises(
        OwnStrategyError, match=r"failed with KeyError: 'site' \(test_own_strategy.py, line \d+\)$"
    ):
        run(house, fails)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("house.rules:", "is not of the form package.module:function"),
        (":mine", "is not of the form package.module:function"),
        ("house.rules:yours", "house.rules has no function 'yours'"),
        (
            "no_such_house:mine",
            "no_such_house cannot be imported: ModuleNotFoundError: No module .*; install its package, or put its",
        ),
    ],
)
def test_a_function_that_cannot_be_found_says_where_it_is_looked_for(
    house: ModuleType, name: str, message: str
) -> None:
    with pytest.raises(OwnStrategyError, match=message):
        strategy(name)
