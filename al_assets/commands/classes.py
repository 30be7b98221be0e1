"""`al classes`: what classes there are, and changing what they are called and count as.

As thin as `cli.py`, which adds these commands to its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from al_assets.commands.output import console, print_table
from al_assets.names import clean_name

if TYPE_CHECKING:  # loads Dagster, which other commands do without
    from resources.archive import Archive

classes_app = typer.Typer(help="Classes and their spellings.")
RELEARN = "views show it at once, the next `learn` run trains by it"
ClassName = Annotated[str, typer.Argument(help="Name of a class, or another spelling of it.")]


def _archive() -> Archive:
    from al_assets.archives import open_archive
    from resources.environments import read_environment

    return open_archive(read_environment())


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@classes_app.callback(invoke_without_command=True)
def list_classes(context: typer.Context) -> None:
    """Classes and their spellings; the commands below change them."""
    if context.invoked_subcommand is not None:
        return
    from resources.rows import rows_of

    table = _archive().labels.classes()
    names = dict(zip(table["class_id"], table["name"], strict=True))
    rows = [
        (row.class_id, row.name, ", ".join(row.aliases), bool(row.active), names.get(row.merged_into, ""))
        for row in rows_of(table)
    ]
    print_table(("class", "name", "aliases", "active", "counts as"), rows)


@classes_app.command("rename")
def rename_class(old: ClassName, new: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Call a class otherwise; exports that use the old name still mean it."""
    archive = _archive()
    archive.classes.rename(old, clean_name(new, "class"), archive.now())
    _say(f"{old} is called {new} now, in every view")


@classes_app.command("merge")
def merge_class(source: ClassName, into: ClassName) -> None:
    """Let a class count as another one. Its labels keep their class, so this can be taken back."""
    archive = _archive()
    archive.classes.merge(source, into, archive.now())
    _say(f"{source} counts as {into} now; {RELEARN}")


@classes_app.command("separate")
def separate_class(name: ClassName) -> None:
    """Take a merge back: let the class count as itself again."""
    archive = _archive()
    archive.classes.separate(name, archive.now())
    _say(f"{name} counts as itself again; {RELEARN}")


@classes_app.command("split")
def split_class(
    name: ClassName, into: Annotated[list[str], typer.Argument(help="Two names or more of new classes.")]
) -> None:
    """Take a class out of use that turned out to be several. Batches ask again about its frames."""
    archive = _archive()
    archive.classes.split(name, [clean_name(each, "class") for each in into], archive.now())
    _say(f"{name} is split into {', '.join(into)}; the next batches ask which of them its frames show")


@classes_app.command("rejoin")
def rejoin_class(name: ClassName) -> None:
    """Take a split back: the classes that it was split into count as it again."""
    archive = _archive()
    archive.classes.rejoin(name, archive.now())
    _say(f"{name} is one class again; {RELEARN}")


@classes_app.command("history")
def class_history() -> None:
    """What was changed, and when."""
    rows = [tuple(row.values()) for row in _archive().classes.history()]
    print_table(("class", "change", "before", "after", "at"), rows)
