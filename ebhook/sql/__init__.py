"""SQL as text, without any server: what a statement is, and which objects it touches.

statement.py    the kind of a statement and its objects, read from its head: for the journal
tokens.py       a statement cut into tokens, and a cursor that walks them: for lint's reader
"""
