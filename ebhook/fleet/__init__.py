"""The fleet: which tenants there are, and where each one stands.

discovery.py      tenants from the settings, a registry database, or the server
broken.py         a tenant whose source says something that cannot be used
aws_sources.py    tenants and logins that AWS keeps
logins.py         tenants by server and login
tls_policy.py     what TLS the settings ask of a tenant's URL
survey.py         where every tenant stands, by one connection for each server and login
survey_reader.py  the queries of the survey
tenant_database.py  one tenant, opened: its connection, lock and journal
standing.py       what was read of a tenant, and what it means in this chain
last_gate.py      which pending revisions the rules are asked about
"""
