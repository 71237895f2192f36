"""A day's papers in the order in which one reader would want them: profiles, features, interests, votes, ranks.

What lives here: reading a person's library and votes, and ordering papers by them, on this machine and without a model call.
What does not: the pages and mails that show it (`personal/`), and Dagster (`orchestration/assets/rankings.py`).
"""
