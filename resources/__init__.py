"""Everything that touches the outside world: tables, database, SQL IO manager, storage, queries."""
