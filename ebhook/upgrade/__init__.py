"""One tenant on its way to a revision.

tenant_upgrade.py    check, lock, check again, revision by revision, release
alembic_run.py       Alembic at work on the locked connection
project.py           a migrations folder and its env.py, loaded once
interception.py      the locked connection as a migration sees it
statement_runner.py  how one statement runs: algorithms, lock waits
messages.py          what boot tells a worker, and the answer
"""
