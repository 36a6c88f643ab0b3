"""Events and outcomes for people and programs.

reporter.py   where events go: terminal, log file
lines.py      an event as a line
live.py       the live displays on a terminal
tables.py     what a person reads in the end
documents.py  JSON, a contract with scripts
schemas.py    the types of those documents, and their JSON Schemas
screen.py     texts as a terminal shows them
next_commands.py  writes what to type next
run_log.py    the file of --log-file
notices.py    metrics and notices of a boot
hiding.py     what no text may have
stdio.py      the standard streams: closed, full, or of another character set
"""
