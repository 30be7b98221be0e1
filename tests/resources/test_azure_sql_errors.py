"""Errors in the form in which Microsoft's driver hands them on: what is tried again, and what a person reads."""

import pytest

from resources import azure_sql_errors

DRIVER = "[Microsoft][ODBC Driver 18 for SQL Server]"
THROTTLED = (40197, 40501, 40613, 49918, 49919, 49920, 10928, 10929)
NETWORK = (10053, 10054, 10060, 233, 64)


def error(state: str, code: int, text: str = "Something.", function: str = "SQLExecDirectW") -> Exception:
    return Exception(state, f"[{state}] {DRIVER}[SQL Server]{text} ({code}) ({function})")


@pytest.mark.parametrize("code", [1205, 1222, 3960, *THROTTLED])
def test_conflicts_throttling_and_fail_over_are_tried_again(code: int) -> None:
    assert azure_sql_errors.is_transient(error("42000", code))


@pytest.mark.parametrize("code", NETWORK)
def test_a_broken_network_is_tried_again(code: int) -> None:
    broken = Exception(
        "08S01", f"[08S01] {DRIVER}TCP Provider: Error code 0x{code:X} ({code}) (SQLExecDirectW)"
    )
    assert azure_sql_errors.is_transient(broken)
    assert azure_sql_errors.explain(broken) == "the connection to the server broke"


@pytest.mark.parametrize("code", [233, 64, 102, 208, 2627, 18456, 40615, 547])
def test_an_error_of_a_statement_or_a_sign_in_is_not_tried_again(code: int) -> None:
    state = "28000" if code == 18456 else "23000" if code in (2627, 547) else "42000"
    assert not azure_sql_errors.is_transient(error(state, code))


@pytest.mark.parametrize(
    ("state", "code", "said", "meaning"),
    [
        (
            "28000",
            18456,
            "Login failed for user 'Frau Mueller'.",
            "the server refuses the sign-in (18456); correct",
        ),
        ("42000", 4060, 'Cannot open database "kitchen".', "there is no such database on the server"),
        (
            "42000",
            40615,
            "Client with IP address '203.0.113.9' is not allowed.",
            "firewall refuses this machine",
        ),
        ("HY000", 40613, "Database 'al' is not currently available.", "it resumes from its pause or moves"),
        (
            "42000",
            40544,
            "The database has reached its size quota.",
            "the database is full (40544); raise its size",
        ),
        ("42000", 1205, "Transaction (Process ID 7) was deadlocked.", "two writers waited for each other"),
        ("42000", 3952, "Snapshot isolation transaction failed.", "ALLOW_SNAPSHOT_ISOLATION ON"),
        (
            "42S02",
            208,
            "Invalid object name 'frames'.",
            "'frames'.; `al db check` says how the tables differ",
        ),
        ("42S22", 207, "Invalid column name 'width'.", "'width'.; `al db check` says how the tables differ"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(state: str, code: int, said: str, meaning: str) -> None:
    line = azure_sql_errors.explain(error(state, code, said))
    assert meaning in line
    assert "\n" not in line
    assert "Mueller" not in line


@pytest.mark.parametrize(
    ("state", "code", "said", "line"),
    [
        (
            "23000",
            2627,
            "Violation of PRIMARY KEY constraint 'pk_videos'. Cannot insert duplicate key in object 'dbo.videos'. "
            "The duplicate key value is (Frau Mueller's kitchen).",
            "error 2627: a key that is there already: constraint pk_videos object dbo.videos",
        ),
        (
            "23000",
            515,
            "Cannot insert the value NULL into column 'width', table 'al.dbo.frames'; column does not allow nulls.",
            "error 515: a null where a value must be: column width table al.dbo.frames",
        ),
        (
            "42000",
            2628,
            "String or binary data would be truncated in table 'al.dbo.videos', column 'site'. Truncated value: "
            "'Frau Mueller'.",
            "error 2628: a text that is too long: table al.dbo.videos column site",
        ),
        (
            "22018",
            245,
            "Conversion failed when converting the varchar value 'Frau Mueller' to data type int.",
            "error 245: Conversion failed when converting the varchar value … to data type int.",
        ),
    ],
)
def test_a_row_that_is_refused_is_not_quoted(state: str, code: int, said: str, line: str) -> None:
    assert azure_sql_errors.explain(error(state, code, said)) == line
