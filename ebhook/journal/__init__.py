"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

table.py          the table `migration_journal`, one entry for each applied revision
recorder.py       one revision under way: what to skip, what to run, where it is then
entry_writer.py   the entry of this run, as it is written
in_doubt.py       a statement whose end was not seen: did it happen?
session_state.py  what lives in a session alone: temporary tables, variables
replies.py        what statements gave back, kept for a run that resumes
"""
