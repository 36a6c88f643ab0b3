"""What an upgrade would do, where, and what is in its way; read from the tenants, and never written to them.

work.py        tenants with the same work, together, and the statements of that work
algorithms.py  how the server would run each statement: asked of an empty copy on a scratch server
tables.py      how large the tables are that the statements touch
obstacles.py   what is in the way now: transactions, locks, frozen and half-applied tenants
estimate.py    how long these revisions took elsewhere
fleet_plan.py  all of it as one value
document.py    the value as JSON, and whether a later look still agrees with it
show.py        the value for people, and as Markdown
"""
