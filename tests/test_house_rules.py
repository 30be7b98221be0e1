"""The rules of the house that import-linter cannot say: what a file may touch follows from its name.

Contracts between packages are in pyproject.toml under [tool.importlinter].
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path for folder in ("al_assets", "resources", "sensors") for path in (ROOT / folder).rglob("*.py")
)
TALKS_TO_DAGSTER = ("assets.py", "checks.py")
CLOCK = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
}
GATHERED = ("benches", "commands", "pages")
"""Folders of al_assets/ that are no rooms: what else would lie directly in it, by kind."""
OWN_GENERATORS = {"Generator", "default_rng", "SeedSequence", "BitGenerator", "PCG64", "Philox"}
GLOBAL_SEEDS = {"torch.manual_seed", "torch.seed", "torch.cuda.manual_seed_all"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_pure(path: Path) -> bool:
    """Everything in a room but its assets and checks, and the two vocabularies that rooms share."""
    inside = path.relative_to(ROOT).parts
    room = inside[0] == "al_assets" and len(inside) > 2 and inside[1] not in GATHERED
    room = room and inside[-1] not in TALKS_TO_DAGSTER
    return room or inside in {("al_assets", "keys.py"), ("al_assets", "settings.py")}


PURE = [path for path in MODULES if is_pure(path)]


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, wherever in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def uses(path: Path) -> Iterator[str]:
    """Dotted names that a module reads, such as np.random.default_rng."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def found(paths: list[Path], breaks: dict[Path, list[str]]) -> dict[str, list[str]]:
    """Readable offences: file -> names."""
    return {str(path.relative_to(ROOT)): sorted(set(breaks[path])) for path in paths if breaks[path]}


def importers(paths: list[Path], *packages: str) -> dict[str, list[str]]:
    return found(paths, {p: [n for n in imports(p) if n.split(".")[0] in packages] for p in paths})


def test_there_is_something_to_hold() -> None:
    assert len(PURE) > 20
    assert len(MODULES) > len(PURE) + 20


def test_a_rooms_modules_import_dagster_only_in_assets_and_checks() -> None:
    assert importers(PURE, "dagster", "dagster_azure", "dagster_shared") == {}


def test_pure_modules_import_no_database_no_resources_and_no_assets() -> None:
    assert importers(PURE, "sqlalchemy", "alembic", "sqlite3", "resources", "sensors") == {}
    doors = {p: [n for n in imports(p) if n.split(".")[-1] in ("assets", "checks")] for p in PURE}
    assert found(PURE, doors) == {}


def test_only_resources_import_sqlalchemy() -> None:
    others = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "resources"]
    assert importers(others, "sqlalchemy", "alembic", "sqlite3", "psycopg", "pyodbc") == {}


def test_environment_variables_are_read_in_one_module() -> None:
    others = [path for path in MODULES if path != ROOT / "resources" / "environments.py"]
    reads = {
        p: [n for n in (*uses(p), *imports(p)) if n.startswith(("os.environ", "os.getenv", "os.putenv"))]
        for p in others
    }
    assert found(others, reads) == {}


def test_pure_modules_have_no_clock() -> None:
    assert found(PURE, {p: [n for n in uses(p) if n in CLOCK] for p in PURE}) == {}
    assert importers(PURE, "time") == {}


def test_pure_modules_have_no_global_random_state() -> None:
    assert importers(PURE, "random") == {}
    draws: dict[Path, list[str]] = {}
    for path in PURE:
        names = [name.replace("numpy.", "np.") for name in uses(path)]
        drawn = [
            n
            for n in names
            if n.startswith("np.random.") and n.split("(")[0].split(".")[2] not in OWN_GENERATORS
        ]
        draws[path] = [*drawn, *(name for name in names if name in GLOBAL_SEEDS)]
    assert found(PURE, draws) == {}


def test_no_room_reads_the_clock_when_it_is_imported() -> None:
    """A default argument or a constant made from the clock would be the time of the import, for ever."""
    breaks: dict[Path, list[str]] = {path: [] for path in MODULES}
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                defaults = [
                    d for d in (*node.args.defaults, *node.args.kw_defaults) if isinstance(d, ast.Call)
                ]
                breaks[path] += [name for d in defaults if (name := ast.unparse(d.func)) in CLOCK]
    assert found(MODULES, breaks) == {}


def test_sql_text_is_never_put_together_from_values() -> None:
    composed = (ast.JoinedStr, ast.BinOp, ast.Call)
    breaks: dict[Path, list[str]] = {path: [] for path in MODULES}
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("text", "sa.text"):
                breaks[path] += [ast.unparse(node)] if isinstance(node.args[0], composed) else []
    assert found(MODULES, breaks) == {}


def test_a_rooms_package_says_what_it_is_and_does_nothing() -> None:
    for path in (ROOT / "al_assets").rglob("__init__.py"):
        if path.parent.parent.name == "al_assets":
            body = parsed(path).body
            assert len(body) == 1, path
            assert isinstance(body[0], ast.Expr), path


def test_loading_the_definitions_loads_no_heavy_library(tmp_path: Path) -> None:
    code = "import sys, al_assets.definitions; print({'torch', 'evidently', 'faiss', 'openTSNE'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_sql_holds_no_package() -> None:
    assert [str(path) for path in (ROOT / "sql").rglob("__init__.py")] == []
