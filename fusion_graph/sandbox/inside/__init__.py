"""What runs inside the sandbox: an answer, and the dataset's tests of it.

It is a package by itself there (`inside`), with Python's standard library and nothing else.
"""
