"""Writing the chain: new revisions, merges, re-parenting, and looking at what is there."""
