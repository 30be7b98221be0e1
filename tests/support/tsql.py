"""Is a statement T-SQL? What sqlglot parses but SQL Server refuses is looked for by name. No test and no fixture."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlalchemy.sql import visitors
from sqlglot import exp

from resources.bulk import mssql_dialect
from resources.tables import metadata

# Of other dialects; sqlglot reads several of them as T-SQL too.
FOREIGN = {
    *("LIMIT", "||", "::", "TRUE", "FALSE", "USING", "ILIKE", "NULLS", "RETURNING", "CONFLICT", "RECURSIVE"),
    *("LATERAL", "ROWID", "FILTER", "NATURAL", "BOOLEAN", "PRAGMA", "VACUUM", "REGEXP", "GLOB", "INTERVAL"),
}
FUNCTIONS = {
    *(
        "Abs",
        "And",
        "Avg",
        "Case",
        "Cast",
        "Ceil",
        "Coalesce",
        "Convert",
        "Count",
        "DateAdd",
        "Exists",
        "Floor",
    ),
    *("GroupConcat", "If", "Lag", "Lead", "Length", "Lower", "Max", "Min", "Nullif", "Or", "Rank", "Replace"),
    *("Round", "RowNumber", "Sum", "Upper", "Xor"),
}
"""sqlglot's classes of the functions that SQL Server has."""
NAMED = (exp.Alias, exp.Column, exp.Star)


def faults(text: str) -> list[str]:
    """What SQL Server would refuse in statements. Raises sqlglot's ParseError for what no database would take."""
    found = [
        f"{token.text} is not T-SQL"
        for token in sqlglot.tokenize(text, read="tsql")
        if token.text.upper() in FOREIGN
        and token.token_type not in (sqlglot.TokenType.STRING, sqlglot.TokenType.IDENTIFIER)
    ]
    for statement in sqlglot.parse(text, read="tsql", error_level=sqlglot.ErrorLevel.RAISE):
        assert statement is not None
        for node in statement.walk():
            found += _node_faults(node)
    return found


def compiled(statement: sa.Executable) -> str:
    """A statement of SQLAlchemy as it would go to SQL Server."""
    dialect: Any = mssql_dialect.Dialect()
    dialect.server_version_info = (16, 0)
    dialect._setup_version_attributes()
    text = str(statement.compile(dialect=dialect))  # type: ignore[attr-defined]
    return re.sub(r"__\[POSTCOMPILE_[^\]]*\]", "1", text)


class Watch:
    """Reads every statement on our tables that runs, on whichever database, as it would go to SQL Server."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def __call__(self, _connection: Any, statement: Any, *_rest: Any) -> None:
        """For SQLAlchemy's event `before_execute`. Raises AssertionError with the statement."""
        if not isinstance(statement, sa.Select | sa.CompoundSelect | sa.Insert | sa.Update | sa.Delete):
            return
        own_dialect = type(statement).__module__.startswith("sqlalchemy.dialects.")
        tables = (part for part in visitors.iterate(statement) if isinstance(part, sa.Table))
        if own_dialect or not any(table.metadata is metadata for table in tables):
            return
        cached = statement._generate_cache_key()
        key = cached.key if cached else str(statement)
        if key not in self._seen:
            self._seen.add(key)
            text = compiled(statement)
            assert faults(text) == [], text


def _node_faults(node: exp.Expression) -> list[str]:
    if isinstance(node, exp.Command):
        return [f"not understood: {node.sql()[:60]}"]
    if isinstance(node, exp.Create) and node.args.get("exists"):
        return ["CREATE knows no IF NOT EXISTS"]
    if isinstance(node, exp.Tuple) and not isinstance(node.parent, exp.Values):
        return ["values are compared one by one"]
    if isinstance(node, exp.Group) and any(isinstance(key, exp.Literal) for key in node.expressions):
        return ["GROUP BY takes no number"]
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        return ["a derived table needs a name"]
    if isinstance(node, exp.Select):
        return _select_faults(node)
    return _function_faults(node) + _truth_faults(node)


def _function_faults(node: exp.Expression) -> list[str]:
    if isinstance(node, exp.Func) and type(node).__name__ not in FUNCTIONS:
        return [f"is {node.sql(dialect='tsql')[:60]} a function of SQL Server?"]
    return []


def _truth_faults(node: exp.Expression) -> list[str]:
    """SQL Server has no type for true and false: a condition is no value, and a value no condition."""
    holder, place = node.parent, node.arg_key
    while isinstance(holder, exp.Paren):
        holder, place = holder.parent, holder.arg_key
    asks = (
        isinstance(holder, exp.Where | exp.Having | exp.Connector | exp.Not)
        or (isinstance(holder, exp.Join) and place == "on")
        or (isinstance(holder, exp.If) and place == "this" and not holder.parent.args.get("this"))
        or isinstance(holder, exp.CheckColumnConstraint | exp.Constraint | exp.AddConstraint)
    )
    is_condition = isinstance(node, exp.Predicate | exp.Connector | exp.Not)
    if asks and isinstance(node, exp.Column | exp.Literal | exp.Placeholder):
        return [f"{node.sql()} is no condition"]
    assigns = isinstance(holder, exp.Update)
    if is_condition and not asks and not assigns:
        return [f"{node.sql()[:60]} is no value"]
    return []


def _select_faults(select: exp.Select) -> list[str]:
    found = []
    if isinstance(select.args.get("limit"), exp.Limit) and select.args.get("offset"):
        found.append("TOP and OFFSET do not go together")
    group = select.args.get("group")
    if group or any(isinstance(column.unalias(), exp.AggFunc) for column in select.expressions):
        keys = {key.name for key in group.expressions} if group else set()
        plain = [column.unalias() for column in select.expressions]
        found += [
            f"{column.sql()} is neither grouped by nor aggregated"
            for column in plain
            if isinstance(column, exp.Column) and column.name not in keys
        ]
    if select.parent is not None and not isinstance(select.parent, exp.Insert):
        found += _inner_select_faults(select)
    return found


def _inner_select_faults(select: exp.Select) -> list[str]:
    found = []
    if select.args.get("order") and not select.args.get("limit") and not select.args.get("offset"):
        found.append("ORDER BY within another query needs TOP or OFFSET")
    holder = select.parent
    names_needed = isinstance(holder, exp.CTE | exp.Create) or (
        isinstance(holder, exp.Subquery) and isinstance(holder.parent, exp.From | exp.Join)
    )
    if names_needed and not all(isinstance(column, NAMED) for column in select.expressions):
        found.append("a column of a derived table, CTE or view needs a name")
    return found
