"""Every metric of the server, declared once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

RECEIVED = Counter("switchboard_received_total", "Events stored for the first time.", ["channel"])
DUPLICATES = Counter("switchboard_duplicates_total", "Events that were known already.", ["channel"])
REFUSED = Counter(
    "switchboard_refused_total", "Inbound requests that were not accepted.", ["channel", "code"]
)
PROCESSED = Counter("switchboard_processed_total", "Events processed.", ["channel"])
PARKED = Counter("switchboard_parked_total", "Events parked after failing repeatedly.", ["channel"])
ANSWERED = Counter("switchboard_answered_total", "Turns the bot answered.", ["channel"])
HANDED_OFF = Counter("switchboard_handed_off_total", "Cases handed to people.", ["reason"])
SENT = Counter("switchboard_sent_total", "Messages and cards accepted by their destination.", ["destination"])
FAILED = Counter("switchboard_send_failures_total", "Messages that will not be tried again.", ["destination"])
RETRIED = Counter("switchboard_send_retries_total", "Attempts that will be repeated.", ["destination"])
PROCESSING = Histogram("switchboard_processing_seconds", "From stored to decided, per turn.", buckets=QUICK)
SENDING = Histogram("switchboard_sending_seconds", "From queued to accepted.", ["destination"], buckets=QUICK)
REQUESTS = Histogram("switchboard_request_seconds", "HTTP requests.", ["route", "status"], buckets=QUICK)
CONFLICTS = Counter(
    "switchboard_conflicts_total", "Transactions repeated because somebody was faster.", ["where"]
)
STREAMS = Gauge("switchboard_streams", "Open server-sent event streams.", ["page"])
UNPROCESSED = Gauge("switchboard_oldest_unprocessed_seconds", "Age of the oldest event not processed yet.")
OUTBOX = Gauge("switchboard_outbox_rows", "Rows of the outbox not sent yet.")
