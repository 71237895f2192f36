"""From kept answers to one typed table: one row a paper and listing day (`assemble.py`), and its ledger (`ledger.py`).

What does not live here: fetching, translating, and anything that asks the network; a category added later is
served from what is kept.
"""
