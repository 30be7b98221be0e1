"""What breaks between us and a real Label Studio: no task is lost or doubled, and the message says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from al_assets.status import tool_line
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError, ToolAccessError, ToolUnreachableError
from support.imports import FRAMES
from support.label_studio import Server, label_studio_in
from support.servers import Azurite, free_port
from support.small_archives import empty_archive
from support.tcp_proxy import Moment, Proxy, answering, asking, proxy_to
from support.tool_archives import ToolArchive, frames_of

TASKS = b'"frame_id"'
"""In a request: the one that adds tasks."""


@pytest.fixture
def archive(connected: ToolArchive) -> ToolArchive:
    return connected


@pytest.fixture
def proxied(tmp_path: Path, label_studio: Server) -> Iterator[tuple[ToolArchive, Proxy]]:
    """An archive whose way to the server can be cut, with a batch of six frames."""
    (tmp_path / "proxied").mkdir()
    with proxy_to(urlsplit(label_studio.url).port or 0) as proxy:
        tool = label_studio.resource(url=f"http://127.0.0.1:{proxy.port}")
        archive = ToolArchive(empty_archive(tmp_path / "proxied"), tool)
        archive.send(1, FRAMES[:3])
        archive.send(2, FRAMES[3:])
        yield archive, proxy
        archive.archive.database.close()


@pytest.mark.parametrize("moment", [asking(TASKS), answering(TASKS)], ids=["asking", "answering"])
def test_a_connection_cut_while_tasks_are_sent_loses_and_doubles_none(
    proxied: tuple[ToolArchive, Proxy], label_studio: Server, moment: Moment
) -> None:
    archive, proxy = proxied
    proxy.cut(moment)
    archive.sync(attempts=3)
    assert proxy.cuts == 1
    assert frames_of(label_studio, archive) == FRAMES


@pytest.mark.parametrize("moment", [asking(TASKS), answering(TASKS)], ids=["asking", "answering"])
def test_a_run_that_fails_while_tasks_are_sent_is_completed_by_the_next(
    proxied: tuple[ToolArchive, Proxy], label_studio: Server, moment: Moment
) -> None:
    archive, proxy = proxied
    proxy.cut(moment)
    with pytest.raises(ToolUnreachableError):
        archive.sync(attempts=1)
    archive.sync()
    assert frames_of(label_studio, archive) == FRAMES


def test_stills_that_a_killed_run_has_sent_are_not_sent_again(
    proxied: tuple[ToolArchive, Proxy], label_studio: Server
) -> None:
    archive, proxy = proxied
    proxy.cut(asking(TASKS))
    archive.sync(attempts=3)
    uploads = label_studio.get(f"/api/projects/{archive.project}/file-uploads", all="true")
    assert len(uploads) == 6


def test_a_server_that_is_down_is_said_plainly_without_the_token(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.tool = label_studio.resource(url=f"http://127.0.0.1:{free_port()}")
    archive.send(1, FRAMES[:1])
    with pytest.raises(
        ToolUnreachableError, match=r"cannot be reached; start it, or correct AL_LABEL"
    ) as error:
        archive.sync()
    assert label_studio.token not in str(error.value)


@pytest.mark.parametrize("token", ["0" * 40, "no token at all"])
def test_a_wrong_token_is_said_plainly(archive: ToolArchive, label_studio: Server, token: str) -> None:
    archive.tool = label_studio.resource(token=token)
    with pytest.raises(
        ToolAccessError, match=r"refuses the token .* Account & Settings .* AL_LABEL_STUDIO_TOKEN"
    ):
        archive.sync()


def test_a_personal_access_token_works_as_well(archive: ToolArchive, label_studio: Server) -> None:
    token = label_studio.post("/api/token/")["token"]
    archive.tool = label_studio.resource(token=token)
    archive.send(1, FRAMES[:1])
    assert archive.sync()["pushed"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "label.example.org"}, "is no address"),
        ({"url": "http://"}, "is no address"),
        ({"url": "http://[::1"}, "is no address"),
        ({"url": "http://label:port"}, "is no address"),
        ({"url": "http://label/?key=1"}, "is no address"),
        ({"token": " \n"}, "AL_LABEL_STUDIO_TOKEN is not"),
    ],
)
def test_a_half_given_connection_is_said_plainly(changes: dict[str, Any], message: str) -> None:
    tool = LabelStudio(**{"url": "http://127.0.0.1:1", "token": "t", **changes})
    with pytest.raises(LabellingToolError, match=message), tool.connect(timeout_seconds=1):
        pass


def test_a_server_killed_and_started_again_has_every_task_once(tmp_path: Path, label_studio: Server) -> None:
    folder, port = tmp_path / "own", free_port()
    folder.mkdir()
    archive = ToolArchive(empty_archive(tmp_path), LabelStudio(url=f"http://127.0.0.1:{port}", token="-"))
    archive.send(1, FRAMES[:3])
    with label_studio_in(folder, port) as (server, process):
        archive.tool = server.resource()
        archive.sync()
        archive.send(2, FRAMES[3:])
        process.kill()
        process.wait()
        with pytest.raises(ToolUnreachableError):
            archive.sync()
    with label_studio_in(folder, port) as (server, _):
        archive.sync()
        assert frames_of(server, archive) == FRAMES


def test_another_server_at_the_address_is_said_plainly(archive: ToolArchive, azurite: Azurite) -> None:
    parts = urlsplit(azurite.account_url)
    archive.tool = LabelStudio(url=f"http://{parts.netloc}", token="0" * 40)
    with pytest.raises(LabellingToolError, match=r"is no Label Studio .* correct AL_LABEL_STUDIO_URL"):
        archive.sync()


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "label_studio_sdk", None)
    tool = LabelStudio(url="http://127.0.0.1:1", token="t")
    message = r"run pip install 'al-assets\[label-studio\]', or unset AL_LABEL_STUDIO_URL"
    with pytest.raises(LabellingToolError, match=message), tool.connect(timeout_seconds=1):
        pass


def test_the_status_line_says_how_it_stands(archive: ToolArchive, label_studio: Server) -> None:
    def said() -> str:
        return tool_line(archive.archive, archive.tool)

    assert said() == f"Label Studio at {label_studio.url} answers; no project yet"
    archive.send(1, FRAMES[:1])
    archive.sync()
    assert said() == f"{label_studio.url}/projects/{archive.project}, 0 answers, 0 skipped"
    archive.tool = label_studio.resource(token="0" * 40)
    assert "refuses the token" in said()
    archive.tool = LabelStudio()
    assert said() == "none is connected (AL_LABEL_STUDIO_URL)"
