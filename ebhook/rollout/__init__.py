"""The rollout: a set of tenants brought to a revision by several processes.

scheduler.py       waves, waiting, results, stopping
worker_pool.py     the processes around the upgrades, seen from boot
worker_process.py  the template that loads the migrations, and its forks, the workers
reuse.py           whether a worker may serve another tenant
warm_up.py         caches that are filled before the workers are forked
messages.py        a worker's last word
"""
