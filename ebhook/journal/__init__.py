"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

table.py          the table `migration_journal`, one entry for each applied revision
recorder.py       one revision under way: what is run, and where it is then
replay.py         what an earlier run of it did: what to pass over, and what that gave back
entry_writer.py   the entry of this run, as it is written
entry_content.py  its statements and replies, whole or as what is new
in_doubt.py       a statement whose end was not seen: did it happen?
never_begun.py    a revision of which nothing is in stands in nobody's way
session_state.py  what lives in a session alone: temporary tables, variables
replies.py        what statements gave back, kept for a run that resumes
"""
