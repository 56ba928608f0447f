"""Alembic beside Fieldpost: it proposes what the author changed, and nothing else."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations

from apps import clinic, oddments
from fieldpost.app import App
from fieldpost_server.authoring.migrations import include_name, render_item
from fieldpost_server.feed.triggers import install
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.storage import tables as own
from fieldpost_server.storage.database import Database

APPS = {"clinic": clinic.app, "oddments": oddments.app}


def compared(connection: sa.Connection, app: App) -> MigrationContext:
    options = {
        "include_name": include_name,
        "render_item": render_item,
        "compare_type": True,
        "target_metadata": app.base.metadata,
    }
    return MigrationContext.configure(connection, opts=options)


@pytest.mark.parametrize("name", APPS)
def test_an_installed_database_needs_no_migration(database: Database, name: str) -> None:
    """Users, envelopes and receipts are not proposed to be dropped, and no type is another."""
    app = APPS[name]
    app.base.metadata.create_all(database.engine)
    install(database.engine, captured_tables(app))

    with database.engine.connect() as connection:
        found: list[Any] = compare_metadata(compared(connection, app), app.base.metadata)

    assert {*own.metadata.tables} <= {*sa.inspect(database.engine).get_table_names()}
    assert [] == found


@pytest.mark.parametrize("name", APPS)
def test_a_generated_migration_runs(database: Database, name: str) -> None:
    """It names types of SQLAlchemy only, and makes the tables that the models describe."""
    app = APPS[name]
    with database.engine.begin() as connection:
        context = compared(connection, app)
        upgrade = produce_migrations(context, app.base.metadata).upgrade_ops
        assert upgrade is not None
        text = render_python_code(upgrade, render_item=render_item, migration_context=context)
        with Operations.context(context) as op:
            exec(f"def upgrade():\n    {text.strip()}\nupgrade()", {"op": op, "sa": sa})

    assert "ExactDecimal" not in text
    assert "fieldpost" not in text
    with database.engine.connect() as connection:
        assert [] == compare_metadata(compared(connection, app), app.base.metadata)


def test_what_the_author_changed_is_proposed(database: Database) -> None:
    """A column that the models have and the database has not is found."""
    app = APPS["oddments"]
    app.base.metadata.create_all(database.engine)
    install(database.engine, captured_tables(app))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE thing DROP COLUMN amount")

    with database.engine.connect() as connection:
        ((what, _, table, column),) = compare_metadata(compared(connection, app), app.base.metadata)

    assert ("add_column", "thing", "amount") == (what, table, column.name)
