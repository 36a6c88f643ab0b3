"""The fleet: which tenants there are, and where each one stands.

discovery.py    tenants from the settings, a registry database, or the server
aws_sources.py  tenants and logins that AWS keeps
survey.py       where every tenant stands, by one connection for each server and login
"""
