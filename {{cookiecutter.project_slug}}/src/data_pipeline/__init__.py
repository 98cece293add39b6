"""This pipeline: its parameters, contract, transform and flow. Yours to edit.

Start reading in flow.py; most changes are made in contract.py and transform.py.
"""
