"""ebhook brings a fleet of MySQL databases to the head of an Alembic chain when servers boot."""

__version__ = "0.1.0"
