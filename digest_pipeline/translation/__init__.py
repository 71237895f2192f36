"""Papers → translated summaries, checked against their source and paid for once.

What lives here: languages and prompts as files, placeholders, the checks (`validation/`), the cache of paid answers (`cache/`), the client of
any OpenAI-compatible endpoint (`llm/`), the Batch API (`batch/`), and the run over them (`run.py`). What does not: where papers come from
(`papers/`), how summaries are shown (`markdown/`, `site/`), Dagster (`orchestration/`).
"""
