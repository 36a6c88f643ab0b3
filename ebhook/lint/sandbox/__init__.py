"""A version file is run on a driver without a database; what it does is recorded."""
