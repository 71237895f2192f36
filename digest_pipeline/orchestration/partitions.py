"""Listing days as Dagster partitions: one key a weekday, skipped days too.

A skipped day keeps its key and materializes as an explicit empty listing, because Dagster's `exclusions`
together with `end_offset` make a future key appear on an excluded day. With UTC days and one day's offset,
today's key exists from 20:00 EDT / 19:00 EST of the evening before, which is when arXiv announces.
Dagster's own word on partitions: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from datetime import date

import dagster as dg

KEY_FORMAT = "%Y-%m-%d"


def listing_day_partitions(first_listing: date) -> dg.TimeWindowPartitionsDefinition:
    """Mondays to Fridays from the first listing on; at a weekend the last key stays Friday's."""
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule="0 0 * * 1-5", start=first_listing.isoformat(), fmt=KEY_FORMAT, timezone="UTC", end_offset=1
    )


def day_of(partition_key: str) -> date:
    return date.fromisoformat(partition_key)
