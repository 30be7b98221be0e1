"""The token, passwords and cookies reach no message, traceback or event, whatever variables or replies hold."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from al_assets.definitions import build_defs
from al_assets.settings import Settings
from resources.environments import read_environment
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError, ToolAccessError, hidden
from support.small_archives import empty_archive
from support.strange_server import StrangeServer, says, strange_server

TOKEN = "5ecre7" * 5
ECHO = says(
    lambda to: {"detail": f"bad {'x' * 340} {to.headers['Authorization']}, cookie sessionid=c00kie"},
    status=401,
    Set_Cookie="sessionid=c00kie",
)
"""Repeats what it was sent, at a place where the message is cut."""
SECRETS = ("5ecre7", "c00kie", "hunter2")


@pytest.fixture
def echo() -> Iterator[StrangeServer]:
    with strange_server(ECHO) as server:
        yield server


def raised(tool: LabelStudio) -> LabellingToolError:
    with pytest.raises(LabellingToolError) as caught, tool.connect(timeout_seconds=5) as server:
        server.find("archive a1")
    return caught.value


def test_a_server_that_repeats_the_token_shows_it_to_nobody(echo: StrangeServer) -> None:
    error = raised(LabelStudio(url=echo.url, token=TOKEN))
    assert isinstance(error, ToolAccessError)
    assert "bad" in str(error)
    told = "".join(traceback.format_exception(error))
    assert not [secret for secret in SECRETS if secret in told]


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", "{}"])
def test_a_line_break_around_the_token_is_no_part_of_it(echo: StrangeServer, around: str) -> None:
    raised(LabelStudio(url=f"{echo.url}\n", token=around.format(TOKEN)))
    assert echo.authorised == [f"Token {TOKEN}"]


@pytest.mark.parametrize("inside", ["\n", "\r", "\0", "\u2013", "\u00a0"])
def test_a_token_that_can_be_none_is_refused_without_being_repeated(inside: str) -> None:
    error = raised(LabelStudio(url="http://127.0.0.1:1", token=f"{TOKEN}{inside}{TOKEN}"))
    assert "AL_LABEL_STUDIO_TOKEN holds characters that no token has" in str(error)
    assert TOKEN not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url", ["http://anna:hunter2@127.0.0.1:1", "anna:hunter2@127.0.0.1", "http:/a:hunter2@b"]
)
def test_a_password_in_the_address_is_refused_without_being_repeated(url: str) -> None:
    tool = LabelStudio(url=url, token=TOKEN)
    error = raised(tool)
    assert "AL_LABEL_STUDIO_URL holds a user or a password before an @; write it as" in str(error)
    assert "hunter2" not in "".join([tool.where, *traceback.format_exception(error)])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Token abc.1def", "Authorization: Token ***"),
        ("got Bearer abc4, sorry", "got Bearer ***, sorry"),
        ("eyJhbGciOi.eyJzdWIi.c2ln expired", "*** expired"),
        ("Cookie: csrftoken=abc; sessionid=def", "Cookie: csrftoken=***; sessionid=***"),
        ("the token is invalid", "the token is invalid"),
        ("token5 is mine", "*** is mine"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(said: str, shown: str) -> None:
    assert hidden(said, ("token5", "")) == shown


@pytest.mark.parametrize("token", [TOKEN, f"{TOKEN}\n", f"{TOKEN}\n{TOKEN}"])
@pytest.mark.parametrize("user", ["", "anna:hunter2@"])
def test_no_event_of_a_run_that_fails_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, echo: StrangeServer, token: str, user: str
) -> None:
    monkeypatch.setenv("AL_HOME", str(tmp_path))
    monkeypatch.setenv("AL_LABEL_STUDIO_URL", echo.url.replace("://", f"://{user}"))
    monkeypatch.setenv("AL_LABEL_STUDIO_TOKEN", token)
    definitions = build_defs(read_environment(), Settings(), {"archive": empty_archive(tmp_path)})
    job = definitions.resolve_job_def("sync_labels")
    with dg.instance_for_test() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        events = "".join(dg.serialize_value(event) for event in instance.all_logs(result.run_id))
    assert "AL_LABEL_STUDIO" in events
    assert not [secret for secret in SECRETS if secret in events]
