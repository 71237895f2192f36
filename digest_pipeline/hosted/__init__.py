"""Running without a machine of one's own: on a code host's runners, with everything kept on a branch of the repository.

What lives here: the branch (`branch.py`), the paid answers on it (`segments.py`), one run (`run.py`), what it says
(`report.py`), and the watch over runs that do not come (`watch.py`). What does not: how a day is made, which is the
same as anywhere (`orchestration/`), and Dagster. The workflow files call `digest hosted …` and nothing else.
"""
