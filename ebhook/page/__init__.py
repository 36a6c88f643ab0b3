"""What happened, as one page: from the JSON logs of one or several instances, or from the journals.

story.py     the runs, tenants, revisions and events, as values
logs.py      a story from lines of --log-file
journals.py  a story from the tenants' journals
html.py      the page: one file, with page.css and page.js in it, that asks no network
markdown.py  the same for a pull request or a ticket
"""
