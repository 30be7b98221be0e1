"""What an error of SQL Server means for the person who reads it: one line each, with the next action. No connection.

The driver's messages quote keys and values; what is shown here is known to hold names only, or has every quoted
part and number taken out. Codes: learn.microsoft.com, "Database engine events and errors" and "Troubleshoot
transient connection errors in SQL Database"; states: ODBC's appendix A.
"""

from __future__ import annotations

import re

from resources.azure_sql import INSTALL_DRIVER
from resources.errors import OTHER_TABLES

# Deadlock; a lock waited for too long; conflicts of snapshots with other writers and with changed tables.
_CONFLICTS = (1205, 1222, 3956, 3960, 3961, 3966)
# Azure SQL: fail-over, throttling, resuming, too many sessions or requests.
_SERVICE = (4221, 40143, 40166, 40197, 40501, 40540, 40613, 49918, 49919, 49920, 10928, 10929)
TRANSIENT = frozenset((*_CONFLICTS, *_SERVICE))
# The network: gone, no process at the other end, broken, reset, silent. Some are numbers of statements' errors too.
_NETWORK = frozenset((64, 233, 10053, 10054, 10060))
_STATEMENT_STATES = ("21", "22", "23", "42")
TRANSIENT_STATES = ("40001", "08S01", "08S02", "08001", "08003", "08007", "HYT00", "HYT01")
_BUSY = "the database is busy or moves to another machine ({code}); try again in a minute"
_SIGN_IN = (
    "the server refuses the sign-in ({code}); correct user and password, or give the identity a user in this "
    "database (CREATE USER [name] FROM EXTERNAL PROVIDER)"
)
_FIREWALL = (
    "the server's firewall refuses this machine ({code}); let its address or network through (Azure portal, the "
    "server's Networking), which takes up to five minutes"
)
_ADVICE = {
    4060: "there is no such database on the server, or the sign-in may not open it ({code}); correct the URL, or "
    "give the sign-in a user there",
    18456: _SIGN_IN,
    18452: _SIGN_IN,
    18487: "the password has expired ({code}); set a new one on the server",
    18488: "the password must be changed first ({code}); set a new one on the server",
    40615: _FIREWALL,
    40914: _FIREWALL,
    40613: "the database is not there yet ({code}): it resumes from its pause or moves, which takes a minute or "
    "two; try again",
    40544: "the database is full ({code}); raise its size limit or delete what is not needed",
    1105: "the database is full ({code}); give it room",
    9002: "the transaction log is full ({code}); back it up or give it room",
    1205: "two writers waited for each other and this one gave way ({code})",
    3952: "the database does not let readers keep one state while others write ({code}); run `al db upgrade` as its "
    "owner, or ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
    3729: "another object reads what must be made anew ({code}); note its definition, drop it, upgrade, and create "
    "it again",
}
# Messages of these name objects only: columns, tables, rights, syntax.
_NAMES_ONLY = frozenset(
    (102, 105, 156, 207, 208, 213, 229, 230, 262, 297, 300, 916, 1088, 1913, 2714, 2812, 3701, 4902)
)
# A column or a table that is not there; more or fewer values than columns.
_OTHER_TABLES = frozenset((207, 208, 213))
_CONCERNS = re.compile(r"""(constraint|object|index|table|column) ['"]([^'"]+)['"]""")
_NATIVE = re.compile(r"\((-?\d+)\)(?= \(SQL|; \[|$)")


def state(error: BaseException) -> str:
    """The five characters of ODBC; empty where the error is not the driver's."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) and len(first) == 5 else ""


def codes(error: BaseException) -> list[int]:
    """The server's and the network's numbers in the driver's message, the first one the cause."""
    return [int(code) for code in _NATIVE.findall(_text(error)) if int(code)]


def is_final(error: BaseException) -> bool:
    """Whether trying again is in vain although the driver speaks of the connection."""
    text = _text(error)
    return (
        _driver_is_missing(error)
        or "certificate verify failed" in text
        or "connection string attribute" in text
        or "Query timeout expired" in text
        or any(code in _ADVICE and code not in TRANSIENT for code in codes(error))
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may well succeed a moment later."""
    found = codes(error)
    if any(code in TRANSIENT for code in found):
        return True
    if any(code in _NETWORK for code in found) and not state(error).startswith(_STATEMENT_STATES):
        return True
    return state(error) in TRANSIENT_STATES and not is_final(error)


def comes_soon(error: BaseException) -> bool:
    """Whether Azure answers, but has no connection to give just now."""
    return any(code in _SERVICE for code in codes(error))


def explain(error: BaseException) -> str:
    """One line without row data and without secrets."""
    found = codes(error)
    if advice := next((_ADVICE[code].format(code=code) for code in found if code in _ADVICE), None):
        return advice
    if found and found[0] in TRANSIENT and state(error) not in TRANSIENT_STATES:
        return _BUSY.format(code=found[0])
    return _of_the_way(error) or _of_the_statement(error, found)


def _of_the_way(error: BaseException) -> str | None:
    """Between here and the server."""
    text = _text(error)
    if _driver_is_missing(error):
        return f"the ODBC driver cannot be loaded; {INSTALL_DRIVER}, or correct driver= in the URL"
    if "certificate verify failed" in text:
        return (
            "the server's certificate is not trusted; install the authority that signed it on this machine, or for a "
            "test server of your own add TrustServerCertificate=yes to the URL"
        )
    if "Login timeout expired" in text or state(error) == "08001":
        return (
            "the server does not answer; check its name and port, that it runs, the network and the firewalls"
        )
    if "Query timeout expired" in text:
        return "a statement took too long and was given up; raise query_timeout (seconds) in the URL"
    return "the connection to the server broke" if state(error).startswith("08") else None


def _of_the_statement(error: BaseException, found: list[int]) -> str:
    text = re.sub(r"\[[^\]]*\]", "", _text(error)).split(" (SQL")[0]
    text = " ".join(_NATIVE.sub("", text).split())
    number = f"error {found[0]}" if found else f"error {state(error)}"
    if found and found[0] in _NAMES_ONLY:
        return f"{number}: {text}; {OTHER_TABLES}" if found[0] in _OTHER_TABLES else f"{number}: {text}"
    if found and found[0] in (515, 547, 2601, 2627, 2628, 8152):
        kind = {515: "a null where a value must be", 547: "a value that a constraint refuses"}.get(found[0])
        kind = kind or (
            "a key that is there already" if found[0] in (2601, 2627) else "a text that is too long"
        )
        # The value comes after the names, so the first of each kind is a name.
        head = re.split("The duplicate key value|Truncated value", text)[0]
        names: dict[str, str] = {}
        for what, name in _CONCERNS.findall(head):
            names.setdefault(what, name)
        return " ".join([f"{number}: {kind}:", *(f"{what} {name}" for what, name in names.items())]).rstrip(
            ":"
        )
    # What remains may quote the row: values stand in quotes or brackets, or are numbers; a value may hold a quote.
    masked = re.sub(r"""['"(].*['")]|\d+""", "…", text)
    return f"{number}: {masked}"


def _driver_is_missing(error: BaseException) -> bool:
    return state(error) in ("IM002", "IM003", "IM004") or "Can't open lib" in _text(error)


def _text(error: BaseException) -> str:
    return " ".join(str(part) for part in error.args[1:]) or str(error)
