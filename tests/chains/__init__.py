"""ebhook beside plain Alembic, on chains that other people wrote, from the packages on PyPI.

packages.py   which chains, and the environment that they are installed in
project.py    one chain with a stock env.py, and the two programs run on it
compare.py    one chain on one server: plain Alembic, two boots at once, five kills
page.py       the table in docs/real-chains.md
__main__.py   ``make chains``
"""
