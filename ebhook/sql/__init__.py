"""What a SQL statement is, and which objects it touches.

statement.py    the kind of a statement and its objects, read from its text
"""
