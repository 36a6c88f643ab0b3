"""Throw-away MySQL and MariaDB servers: private, without root, gone when their owner is gone.

    from ebhook.scratch import Flavour, server

    with server(Flavour.MYSQL) as mysql:
        mysql.url("acme")                        # mysql+pymysql://root@127.0.0.1:…/acme?charset=utf8mb4
        mysql.connect().cursor().execute("CREATE DATABASE acme")
        mysql.kill()                             # as a crash would
        mysql.start()                            # same data, same port

By hand, until Ctrl-C:

    python -m ebhook.scratch mysql
    python -m ebhook.scratch mariadb --max-connections=2000

A server that the machine has is used; otherwise it is fetched once, from the machine's own package
mirror, into the user's cache folder.
"""

from ebhook.scratch.installation import Flavour, Installation, locate
from ebhook.scratch.packages import fetch
from ebhook.scratch.process import Server, server

__all__ = ["Flavour", "Installation", "Server", "fetch", "locate", "server"]
