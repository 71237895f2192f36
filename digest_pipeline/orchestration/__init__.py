"""The only package that imports dagster: assets, partitions, checks, schedules and sensors around plain functions.

What lives here: how a step is run, recorded and watched. What does not: what it does (the packages that the assets import). Nothing
here reads the clock, the network or the environment at import; `definitions.py` builds everything from the
settings when Dagster asks for it.
"""
