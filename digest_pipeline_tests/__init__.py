"""Tests of the digest pipeline; the same rooms as the package."""
