"""Statements read into changes: DDL, table elements, column definitions, DML. Tokens: `ebhook.sql`."""
