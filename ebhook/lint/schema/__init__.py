"""A schema as the chain leaves it, its sizes, and how a server shows it. What changes it: `ebhook.lint.changes`."""
