"""Rows that compare with PyTorch, which these rows alone need.

`pip install -r tests/requirements-benchmark.txt`; nothing else imports it.
"""
