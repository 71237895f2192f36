"""Telling people: alerts for the operator, announcements and the e-mail digest for readers.

    deliveries.py   the durable record of what was sent to whom, so that nobody is told twice
    alerts.py       short messages through Apprise, kept in an outbox until they are delivered
    mail.py         the digest of a day as an e-mail, through SMTP

Nothing here knows Dagster, and nothing here may fail a run: what cannot be sent raises DeliveryError, which
callers log; the next tick tries again. The words of the messages are in `templates/` and, for readers, under
`[labels.mail]` of the language files.
"""
