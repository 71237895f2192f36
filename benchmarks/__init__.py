"""What the pipeline costs in time, memory and requests: one module a question, each printing its table.

    python -m benchmarks                     all of them, each in a process of its own; writes docs/performance.md
    python -m benchmarks --quick             all of them, small, in a few minutes; writes nothing
    python -m benchmarks parquet markdown    some
    python -m benchmarks --write FILE        the same, and the output as a Markdown document

Every module can be run by itself, too: `python -m benchmarks.parquet`. What lives here: measuring, on generated data
of real shape and against loopback. What does not: tests of what is right (`digest_pipeline_tests/`).
"""
