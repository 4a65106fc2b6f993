"""What Alembic runs: on the connection it is given, inside its transaction, or offline as SQL for a dialect."""

from alembic import context

from thermo_guard.adapters.journal.schema import metadata

if context.is_offline_mode():
    context.configure(
        dialect_name=context.config.get_main_option("dialect"), target_metadata=metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    # SQLite's DDL is transactional once the driver's own bookkeeping is off, so a kill in mid-migration leaves the old
    # schema whole.
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
    )
    context.run_migrations()
