"""One verb per file: gather what it needs, call the core, report."""
