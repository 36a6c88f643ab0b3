"""Talking to MySQL and MariaDB. Knows nothing of settings or AWS.

connection.py  one connection, its queries, and what its errors mean
errno.py       the servers' error numbers, sorted, and groups of them
url.py         SQLAlchemy database URLs, read without SQLAlchemy
credential.py  what keeps or makes a password
tls.py         what a server proves before a password goes to it
retry.py       trying again, bounded in attempts and in time
"""
