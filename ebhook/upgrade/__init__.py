"""One tenant on its way to a revision.

The way of a statement:

    version file          op.add_column(…), op.execute(…), or the driver's own cursor
      │
    Alembic               alembic_run.py: one revision after the other, in the order of plan.py
      │
    SQLAlchemy            the engine of env.py, on our connection
      │
    interception.py       the driver's connection as a migration sees it
      │
    statement_listener.py hears the statement, each commit and each rollback
      │
    journal/recorder.py   is it in already? Writes the position, before or after it
      │
    statement_runner.py   the cheapest algorithm first; tries again while another session has the table
      │
    server                the connection that has the tenant's lock

tenant_upgrade.py     check, lock, check again, revision by revision, release
engine_handover.py    the locked connection for env.py's own engine; second_connection.py reads on it
version_scripts.py    Alembic's view of the version files; alembic_config.py its Config
keep_alive.py         the session of a revision that pauses
project.py            a migrations folder and its env.py, loaded once
dry_run.py            the listener of a dry run: notes what it does not run
failure.py            what went wrong, as an error with three parts
messages.py           what boot tells a worker, and the answer
"""
