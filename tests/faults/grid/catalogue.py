"""The faults, and what callers see of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    number: str
    name: str
    seen: str


FAULTS = (
    Fault(
        "F1",
        "PostgreSQL is killed, and comes back",
        "503 with `Retry-After` at once, until it has recovered; the embedded one is started again within"
        " seconds. A sign-in that nobody could give back counts like a wrong password for a while, so who"
        " tries again and again may be told 429.",
    ),
    Fault(
        "F2",
        "PostgreSQL is frozen, or the network swallows everything",
        "503 with `Retry-After` within 4 s. `/health` goes on saying 200, and `/ready` says 503 after three"
        " looks.",
    ),
    Fault(
        "F3",
        "A COMMIT is done, and the answer to it is lost",
        "503 `OUTCOME_UNKNOWN` to who has written, and nothing to who reads. The same request with the same"
        " `Idempotency-Key` tells what became of it.",
    ),
    Fault(
        "F4",
        "The connections to PostgreSQL are reset, again and again",
        "Nothing, as long as no COMMIT was under way: what had not been stored is done anew. Else 503.",
    ),
    Fault(
        "F5",
        "A hundred callers want one row that is locked, and have all connections",
        "503 after 1.75 s to who needs a transaction. Single reads and `/ready` have connections of their"
        " own.",
    ),
    Fault(
        "F6",
        "Callers go away in the middle of a request",
        "Nothing, to the others. What was asked for is done or not; asked for again with its key it is done"
        " once.",
    ),
    Fault(
        "F7",
        "Redis is away, slow, frozen or full",
        "Nothing: requests are counted by each process for itself. `/ready` says 200 and `degraded`.",
    ),
    Fault(
        "F8",
        "The mail server is away, or silent",
        "Nothing. Letters wait, and each comes once when it is back.",
    ),
    Fault(
        "F9",
        "Workers are killed with jobs in hand",
        "Nothing but a delay: another one takes the jobs when the heartbeat has stopped. A letter that was on"
        " its way may come twice, with the same `Message-ID`.",
    ),
    Fault("F10", "Servers are told to stop under load", "Nothing: what has come is answered."),
    Fault(
        "F11",
        "Two hundred callers begin a request, and do not go on",
        "They are told 408; nobody else notices.",
    ),
    Fault(
        "F12", "Bodies are much too large", "413 before they are read; the memory does not grow with them."
    ),
    Fault(
        "F13",
        "JSON is broken, deep, or has what no number can be",
        "400 or 422, whatever it is and wherever it stands.",
    ),
    Fault(
        "F14",
        "Texts, numbers and moments are such as no client means well",
        "422 with the place, or they are taken and come back as they were.",
    ),
    Fault(
        "F15",
        "A disk is full",
        "That of the files: 507 to who sends one. That of the database: 503 to who writes what it has no room"
        " for. Reads go on, nothing is half there, and all is well when there is room.",
    ),
    Fault(
        "F16",
        "The clocks of an API and of a worker are eleven minutes off, each to another side",
        "Nothing: tokens, sessions, leases and schedules go by PostgreSQL's clock.",
    ),
    Fault("F17", "A request comes twice", "The first one's answer, with `Idempotent-Replayed: true`."),
    Fault("F18", "Fifty callers edit what all of them have read", "412 to all but one."),
    Fault("F19", "Transactions deadlock", "Nothing: the one that gave way is done anew."),
    Fault(
        "F20",
        "The schema is migrated while the last release serves",
        "Nothing: both serve, side by side.",
    ),
    Fault("F21", "A release is taken back", "Nothing: the one before serves with the newer schema."),
    Fault(
        "F22",
        "A server with streams stops",
        "The stream ends in order (WebSockets with 1012), and goes on at another server without a gap.",
    ),
    Fault(
        "F23",
        "All is lost but a backup and the archived WAL",
        "All that was acknowledged before the point in time that was chosen, and nothing after it.",
    ),
)
