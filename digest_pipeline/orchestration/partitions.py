"""Listing days and weeks as Dagster partitions: one key a weekday, skipped days too, and one a week, its Monday.

A skipped day keeps its key and materializes as an explicit empty listing, because Dagster's `exclusions`
together with `end_offset` make a future key appear on an excluded day. With UTC days and one day's offset,
today's key exists from 20:00 EDT / 19:00 EST of the evening before, which is when arXiv announces.
A week is in UTC for the same reason: its key appears with its Monday's, and Dagster maps weeks to days only within one time zone.
Dagster's own word on partitions: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from datetime import date, timedelta

import dagster as dg

KEY_FORMAT = "%Y-%m-%d"


def listing_day_partitions(first_listing: date) -> dg.TimeWindowPartitionsDefinition:
    """Mondays to Fridays from the first listing on; at a weekend the last key stays Friday's."""
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule="0 0 * * 1-5", start=first_listing.isoformat(), fmt=KEY_FORMAT, timezone="UTC", end_offset=1
    )


def listing_week_partitions(first_listing: date) -> dg.WeeklyPartitionsDefinition:
    """Weeks by their Mondays, from the one of the first listing on; the last key is that of the week that has begun."""
    monday = first_listing - timedelta(days=first_listing.weekday())
    return dg.WeeklyPartitionsDefinition(start_date=monday.isoformat(), fmt=KEY_FORMAT, timezone="UTC", day_offset=1, end_offset=1)


def days_of_week() -> dg.TimeWindowPartitionMapping:
    """A week is made of the listing days that it has: the first week may begin before the first listing, and the last is not over."""
    return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def day_of(partition_key: str) -> date:
    return date.fromisoformat(partition_key)
