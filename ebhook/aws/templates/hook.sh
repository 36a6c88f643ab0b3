#!/bin/bash
# Before a bundle, or a configuration, takes traffic: every agency's database to the head of its chain.
# Elastic Beanstalk runs this as root in the bundle's folder, on every instance, several at once. All
# that could go wrong is decided, and explained, by ebhook itself: in /var/log/eb-hooks.log, where this
# output goes, and as JSON lines in a log of its own.
set -euo pipefail
for bin in /var/app/venv/*/bin; do
    if [ -x "$bin/ebhook" ]; then
        exec "$bin/ebhook" boot --log-file /var/log/ebhook.log
    fi
done
echo "50_ebhook.sh: no ebhook in /var/app/venv/*/bin. Nothing was changed." \
    "Add ebhook to requirements.txt and deploy again." >&2
exit 78
