"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

table.py          the table `migration_journal`, one entry for each applied revision
recorder.py       one revision under way: what is run, and where it is then
replay.py         what an earlier run of it did: what to pass over, and what that gave back
entry_writer.py   the entry of this run, as it is written
entry_content.py  its statements and replies, whole or as what is new
in_doubt.py       a statement whose end was not seen: did it happen?
never_begun.py    a revision of which nothing is in stands in nobody's way
revision_session.py  the session of one revision: what was done to it is kept, done again, put back
session_variables.py its system variables, with the server's word on their values
session_state.py  its temporary tables, user variables and prepared statements: here, or lost
session_text.py   what the text of a statement says about its session
session_notes.py  what the server told of each statement, as text
replies.py        what statements gave back, kept for a run that resumes
"""
