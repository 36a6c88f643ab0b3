"""Talking to MySQL and MariaDB: connections, URLs, TLS, retries. Knows nothing of settings or AWS.

connection.py   one connection, its queries, and what its errors mean
url.py          SQLAlchemy database URLs, read without SQLAlchemy
tls.py          what a server proves before a password goes to it
retry.py        trying again, bounded in attempts and in time
"""
