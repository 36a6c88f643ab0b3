"""An environment that cannot start: a variable of the application is not set."""

raise RuntimeError("SECRET_KEY is not set")
