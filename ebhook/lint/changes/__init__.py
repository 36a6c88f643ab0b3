"""What one statement does, as values. Each change knows its words, its effect on a schema, and its way back.

`change`: what all have in common. `tables`, `columns`, `keys`: changes of a table. `things`: views,
triggers, routines, databases. `rows`: data, and statements that define nothing.
"""
