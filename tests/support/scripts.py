"""Write programs of tests."""

import sys

PYTHON = f"""#!/bin/sh
'''exec' "{sys.executable}" "$0" "$@"
' '''
"""
"""The first lines of a Python program; those of the kernel take no path with spaces."""
