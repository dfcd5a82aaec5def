"""Storage of report files: a folder, or the storage that a Report Storage block names.

Flows write the files; the sender of a message opens them.
"""
