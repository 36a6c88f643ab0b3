"""The chain of revisions, read from the version files without running them.

graph.py      revisions by id: heads, lineage, order
folder.py     a migrations folder: its version files and its chain, checked
revision.py   one version file: id, parents, message, checksum
checksums.py  chain.sum, the chain in one small file beside the versions
"""
