"""The lock of one tenant's database: only its holder may change the database.

lock.py         TenantLock: acquire, wait, take over, release
named_lock.py   NamedLock: the server's own lock (GET_LOCK); ends with the holder's session
table.py        LockTable: the table `migration_lock`, created or adopted
row.py          LockRow: who holds the lock, as a value
clearing.py     what an operator may do with somebody else's lock
"""
