"""AWS and Elastic Beanstalk: the only room that knows them.

beanstalk.py      an instance as a program on it finds it: identity, properties
deployed.py       its bundles: which one is meant, its label, its application and modules
step.py           when the platform's step began, from which its time-out counts
client.py         boto3: secrets, parameters, tokens, metrics, notices
credentials.py    logins that AWS keeps or makes
bundle.py         the files that `ebhook init` puts into an application
bundle_checks.py  what would keep them from working there
templates/        those files: the hook, the .ebextensions, ebhook.toml
"""
