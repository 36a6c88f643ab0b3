"""The rollout: a set of tenants brought to a revision by several processes.

plan.py            what a rollout is for, and who needs nothing of it
waves.py           which tenants go together, and in which order
schedule.py        waves, waiting, results, halting: decisions as values, without any process
tenant_job.py      one tenant's way through them
scheduler.py       the loop that carries them out
ending.py          how what still runs is ended
worker_pool.py     the processes around the upgrades, seen from boot
worker_process.py  the template that loads the migrations, and its forks, the workers
waiting.py         for instances that only read: waits for others to migrate
reuse.py           whether a worker may serve another tenant
warm_up.py         caches that are filled before the workers are forked
messages.py        a worker's last word
"""
