"""How fast ebhook is: beside what it replaces, and beside what the server itself needs.

    python -m benchmarks                        # MySQL, under ten minutes
    python -m benchmarks --quick                # a minute or two
    python -m benchmarks --flavour mariadb --json

Everything runs on a private server of its own. Contenders take turns, round after round, so that
whatever else the machine does hits them alike; medians are shown, and ratios within a round. No
timing is asserted: the targets stand beside the numbers.
"""
