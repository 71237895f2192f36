"""Tests of the digest pipeline; the same folders as the package."""
