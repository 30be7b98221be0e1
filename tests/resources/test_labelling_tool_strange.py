"""Whatever answers in place of Label Studio: its replies are one readable error, in time, and `al status` goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from al_assets.labelling.note import NOTE, Note
from al_assets.status import tool_line
from resources import labelling_tool_limits
from resources.labelling_server import LabelStudioServer
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import (
    LabellingToolError,
    ToolRefusalError,
    ToolUnreachableError,
    explained,
)
from support.small_archives import empty_archive
from support.strange_server import Reply, StrangeServer, says, strange_server

QUESTIONS: dict[str, Callable[[LabelStudioServer], Any]] = {
    "greet": lambda server: server.greet(),
    "find": lambda server: server.find("m"),
    "project": lambda server: server.project(1),
    "tasks": lambda server: server.tasks(1, 1),
    "changed_at": lambda server: server.changed_at(1),
    "stills": lambda server: server.stills(1),
    "answers": lambda server: server.answers(1),
    "people": lambda server: server.people(),
    "remove": lambda server: server.remove(1),
}
PROJECT = {"id": 1, "title": "t", "description": "archive a1", "label_config": ""}


def ask(server: StrangeServer, question: Callable[[LabelStudioServer], Any], **limits: float) -> Any:
    tool = LabelStudio(url=server.url, token="t")
    with tool.connect(**{"timeout_seconds": 1, **limits}) as connected:
        return question(connected)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("body", [["x"], None, "x", 7], ids=str)
def test_a_reply_of_another_shape_is_said_plainly(
    body: Any, question: Callable[[LabelStudioServer], Any]
) -> None:
    with (
        strange_server(says(body)) as server,
        pytest.raises(LabellingToolError, match=r"is no Label Studio \(\w+\); correct"),
    ):
        ask(server, question)


def test_a_reply_without_a_date_is_said_plainly() -> None:
    with (
        strange_server(says(PROJECT, dated=False)) as server,
        pytest.raises(LabellingToolError, match="is no Label Studio"),
    ):
        ask(server, QUESTIONS["project"])


def dripping(first: bytes) -> Reply:
    """Sends this, and then a byte each tenth of a second."""

    def reply(to: BaseHTTPRequestHandler) -> None:
        to.close_connection = True
        to.wfile.write(first)
        for _ in range(100):
            to.wfile.write(b"x")
            time.sleep(0.1)

    return reply


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"],
    ids=["header", "body"],
)
def test_a_server_that_sends_a_byte_at_a_time_holds_nobody_beyond_the_limit(first: bytes) -> None:
    began = time.monotonic()
    with (
        strange_server(dripping(first)) as server,
        pytest.raises(ToolUnreachableError, match="does not answer in time"),
    ):
        ask(server, QUESTIONS["find"], limit_seconds=1.5)
    assert time.monotonic() - began < 5


def test_a_reply_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling_tool_limits, "REPLY_BYTES", 1 << 20)
    with (
        strange_server(says("x" * (3 << 20))) as server,
        pytest.raises(LabellingToolError, match="sends more than 1 MB for one question"),
    ):
        ask(server, QUESTIONS["find"])


def test_a_request_that_is_too_big_is_not_taken_for_another_server() -> None:
    error = explained(413, "<html>Request Entity Too Large</html>", "http://label")
    assert isinstance(error, ToolRefusalError)
    assert "takes no request of this size (413); raise the limit of the proxy" in str(error)


@pytest.mark.parametrize("note", [None, "{", '{"archive": 7}', Note("a1").text(), Note("a1", "", 1).text()])
@pytest.mark.parametrize("body", [["x"], None, PROJECT], ids=["list", "null", "project"])
def test_the_status_line_is_a_line_whatever_happens(tmp_path: Path, body: Any, note: str | None) -> None:
    archive = empty_archive(tmp_path)
    if note is not None:
        archive.storage.write(NOTE, note.encode())
    with strange_server(says(body, dated=False)) as server:
        tool = LabelStudio(url=server.url, token="t")
        for each in (tool, LabelStudio(url="http://[", token="t"), LabelStudio(url=server.url, token="a\nb")):
            said = tool_line(archive, each)
            assert said
            assert "\n" not in said
    archive.database.close()
