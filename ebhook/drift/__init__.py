"""Schemas as values, read from many tenants at once, and how they differ.

snapshot.py   one database's schema; read by SHOW CREATE where there is one database
catalog.py    read by information_schema, for many databases in one query
reader.py     every tenant's schema, by one connection per login, a batch at a time
fingerprint.py  short names for tables and schemas that are the same
fleet.py      tenants at the same revision, compared with each other
found.py      what a look for drift found
diff.py       the differences of two schemas, line by line
"""
