"""The errors this project raises, drawn once; each says whether waiting helps and what to do next.

    DigestError
    ├── SettingsError            a setting is unknown, malformed or contradictory        fix it
    ├── ListingDateError         the date is no listing day, in the future, or too old    ask for another date
    ├── NotPublishedYet          arXiv has not announced this listing yet                 wait: the state between
    │                                                                                     "empty" and "failed"
    ├── SourceError              arXiv answered, or failed to, in a way we cannot use
    │   ├── ArxivUnavailable     no answer, 429, 5xx, a page that is no Atom feed         wait, then run again
    │   ├── FeedIncomplete       the feed is at its cap, or lacks a category              see the message
    │   ├── BoundaryUnclear          an id block's boundary cannot be told with certainty     see the message
    │   └── RawCorrupt           a kept raw file no longer has the hash it was kept with  refetch the day
    ├── TranslationError
    │   ├── EndpointConfigurationError      key, credit or model refused: no retry can help          fix the setting it names
    │   ├── EndpointUnavailable  the endpoint is down for longer than the run may wait    run again later
    │   ├── EmbeddingsUnavailable   an endpoint's embeddings cannot be had: ranking goes by words  see the message
    │   └── AnswerStoreError     the store of paid answers cannot be read or written      see the message
    ├── StorageError            the data directory cannot be read or written             see the message
    ├── HostedStateError        the branch that keeps a hosted run's data is out of reach  see the message
    └── DeliveryError            an alert or a message could not be sent                  never fails a run

What lives here: exception classes, their advice, which errors of storage clients two of them stand for, and nothing that
raises them.
"""

import sys


class DigestError(Exception):
    """What happened, to which paper or day, and what the reader should do.

    `retryable` is true where the same call may succeed later without anybody changing anything.
    """

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} → {hint}" if hint else message)


class SettingsError(DigestError):
    """A setting's name, value or combination is refused before anything is fetched or written."""


class ListingDateError(DigestError):
    """The date asked for has no listing and never will, or not yet."""


class NotPublishedYet(DigestError):
    """The listing is expected but arXiv has not published it: neither empty nor failed."""

    retryable = True


class SourceError(DigestError):
    """arXiv's answer cannot be used."""


class ArxivUnavailable(SourceError):
    """arXiv did not answer, refused for load, or answered with something that is not the feed asked for."""

    retryable = True


class FeedIncomplete(SourceError):
    """The announcement feed cannot hold the whole listing (cap reached, category missing)."""


class BoundaryUnclear(SourceError):
    """Where one listing's id block ends and the next begins cannot be told with certainty."""


class RawCorrupt(SourceError):
    """A kept raw file is missing or differs from the hash in its manifest."""


class TranslationError(DigestError):
    """The translation stage cannot go on."""


class EndpointConfigurationError(TranslationError):
    """The endpoint refuses this key, account or model; asking again cannot help."""


class EndpointUnavailable(TranslationError):
    """The endpoint kept failing for longer than a paper may wait."""

    retryable = True


class EmbeddingsUnavailable(TranslationError):
    """The endpoint, or the budget, does not give the vectors of all texts; ranking goes on by words, and says so."""


class AnswerStoreError(TranslationError):
    """The store of paid answers cannot be read or written (disk full, no permission, damaged file)."""


class StorageError(DigestError):
    """The data directory cannot be read or written (disk full, read-only, object store out of reach)."""


class HostedStateError(DigestError):
    """The branch on which a run without a machine of its own keeps everything cannot be read or pushed."""


class DeliveryError(DigestError):
    """An alert or a digest message could not be sent; logged, and retried on the next tick."""

    retryable = True


_ERRORS_OF_CLIENTS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("aiohttp", "ClientError"),
)


def storage_errors() -> tuple[type[Exception], ...]:
    """What reading and writing a place raises: OSError, and what of object stores' clients is none; of those that are loaded."""
    return (OSError, *(getattr(sys.modules[module], name) for module, name in _ERRORS_OF_CLIENTS if module in sys.modules))
