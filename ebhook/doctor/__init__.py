"""The doctor: what would go wrong at the next boot, found without changing anything that lasts.

servers.py     network, TLS, login, databases
privileges.py  what the login may do
cloud.py       AWS: identity, secrets, notices
here.py        this machine: the platform and its properties
finding.py     one finding of a check
show.py        findings for people

Each check yields findings; none of them raises for what it looks at.
"""
