"""Throw-away MySQL and MariaDB servers: private, without root, gone when their owner is gone.

    from ebhook.scratch.installation import Flavour
    from ebhook.scratch.process import server

    with server(Flavour.MYSQL) as mysql:
        mysql.url("acme")                        # mysql+pymysql://root@127.0.0.1:…/acme?charset=utf8mb4
        mysql.connect().cursor().execute("CREATE DATABASE acme")
        mysql.kill()                             # as a crash would
        mysql.start()                            # same data, same port

By hand, until Ctrl-C:

    python -m ebhook.scratch mysql
    python -m ebhook.scratch mariadb --max-connections=2000

installation.py  a server that the machine has
packages.py      else it is fetched once, from the machine's own package mirror
process.py       one running server
supervisor.py    ends the server when its owner ends
databases.py     databases made and dropped on a server
"""
