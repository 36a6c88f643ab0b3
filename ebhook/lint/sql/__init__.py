"""Statements as text, read into changes: tokens, DDL, table elements, column definitions, DML."""
