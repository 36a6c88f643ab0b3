"""AWS and Elastic Beanstalk: the only room that knows them.

beanstalk.py    an instance as a program on it finds it: identity, properties, bundle
client.py       boto3: secrets, parameters, tokens, metrics, notices
credentials.py  logins that AWS keeps or makes
bundle.py       the files that `ebhook init` puts into an application
templates/      those files: the hook, the .ebextensions, ebhook.toml
"""
