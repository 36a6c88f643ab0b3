"""ebhook held against statements that nobody here wrote: those of the servers' own regression tests.

corpus.py    the tests: fetched from the distribution, kept in the cache folder, read into statements
excluded.py  statements that are not tried, each with its reason
windows.py   short chains out of a test: a database as it was before, and statements in a row
child.py     ebhook in a process that dies at a chosen query
project.py   a chain of one revision, written and mended
judge.py     what has become of a tenant, against the undisturbed end: right, asked or wrong
campaign.py  many probes on one server, counted, with a file for each that is wrong
__main__.py  the complete run: ``make differential``
"""
