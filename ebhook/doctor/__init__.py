"""The doctor: what would go wrong at the next boot, found without changing anything that lasts.

Each check yields findings; none of them raises for what it looks at.
"""

from ebhook.doctor.cloud import examine_aws
from ebhook.doctor.finding import Finding, Level
from ebhook.doctor.here import examine_machine
from ebhook.doctor.servers import examine_servers

__all__ = ["Finding", "Level", "examine_aws", "examine_machine", "examine_servers"]
