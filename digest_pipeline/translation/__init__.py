"""Room 3: papers → translated summaries, checked against their source and paid for once.

What lives here: languages and prompts as files, masking, checks, the answer store, the client of any
OpenAI-compatible endpoint, and the engine over them. What does not: where papers come from (`papers/`),
how summaries are shown (`digest/`, `site/`), Dagster (`orchestration/`).
"""
