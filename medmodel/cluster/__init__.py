"""Runs on a Ray cluster: each is a job of its head, where MEDMODEL_RAY names one.

    python -m medmodel.cluster WORKSPACE   sends waiting runs, follows them on the head

Nothing of Ray is imported but in `driver`, which runs on the cluster: its head is asked
by its REST API. Workspace, data and program are under the same paths on all nodes.
"""
