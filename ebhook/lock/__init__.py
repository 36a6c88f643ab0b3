"""The lock: who may change a tenant's database.

lock.py         acquiring, waiting, taking over, releasing
table.py        the table `migration_lock`: the row that says who
"""
