"""A schema as the chain leaves it, what changes it, and how a server shows it."""
