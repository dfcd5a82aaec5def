"""Keep the files of reports: a folder, or what a report-storage block names.

Flows write them, and whichever sender delivers a message with files opens them.
"""
