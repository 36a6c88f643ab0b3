#!/bin/bash
# Before the new bundle takes traffic: every agency's database to the head of its chain.
# Elastic Beanstalk runs this as root in the staging directory, on every instance that gets the
# bundle, several at once. All that could go wrong is decided, and explained, by ebhook itself.
set -euo pipefail
for bin in /var/app/venv/*/bin; do
    if [ -x "$bin/ebhook" ]; then
        exec "$bin/ebhook" boot
    fi
done
echo "50_ebhook.sh: no ebhook in /var/app/venv/*/bin. Nothing was changed." \
    "Add ebhook to requirements.txt and deploy again." >&2
exit 78
