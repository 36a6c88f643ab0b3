"""Pending revisions, run on scratch copies without rows of each different schema that is behind.

shapes.py    tenants with the same schema and the same state, together
rehearse.py  one shape, made on a scratch server, and upgraded there as a boot would
rows.py      what depends on rows: named, and on demand looked up in the tenants, which are only read
expected.py  what the chain or the models say a schema is, for drift and stamp
"""
