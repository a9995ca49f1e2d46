"""The ceiling of the drain of jobs: a bare program on asyncpg that does the same with the queue, in batches.

    python bench/drain_by_hand.py DATABASE_URL SMTP_PORT

It claims jobs, reads each one's user, stores a token, sends a letter, and deletes and logs the jobs.
"""

import asyncio
import secrets
import sys
from email.message import EmailMessage
from hashlib import sha256

import asyncpg
from aiosmtplib import SMTP

BATCH = 10
LOOK_SECONDS = 0.01
CLAIM = """
    WITH claimed AS (
        UPDATE jobs.pgqueuer SET status = 'picked', updated = now(), heartbeat = now() WHERE id IN (
            SELECT id FROM jobs.pgqueuer WHERE status = 'queued' AND execute_after < now()
            ORDER BY priority DESC, id LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, priority, entrypoint, payload
    ), log AS (
        INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'picked', entrypoint, priority FROM claimed
    )
    SELECT id, convert_from(payload, 'UTF8')::json ->> 'subject_id' AS user_id FROM claimed
"""
RECIPIENT = "SELECT email, name FROM users WHERE id = $1 AND is_active AND email_verified_at IS NULL"
ISSUE = """
    INSERT INTO one_time_tokens (token_hash, user_id, purpose, expires_at)
    VALUES ($1, $2, 'verify_email', now() + interval '1 day')
"""
FINISH = """
    WITH done AS (DELETE FROM jobs.pgqueuer WHERE id = ANY ($1) RETURNING id, priority, entrypoint)
    INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'successful', entrypoint, priority FROM done
"""


async def main(url: str, port: int) -> None:
    connection = await asyncpg.connect(url)
    async with SMTP(hostname="127.0.0.1", port=port) as client:
        while True:
            jobs = await connection.fetch(CLAIM, BATCH)
            for job in jobs:
                (user,) = await connection.fetch(RECIPIENT, job["user_id"])
                token = secrets.token_hex()
                await connection.execute(ISSUE, sha256(token.encode()).hexdigest(), job["user_id"])
                await client.send_message(letter(user["email"], user["name"], token))
            if jobs:
                await connection.execute(FINISH, [job["id"] for job in jobs])
            else:
                await asyncio.sleep(LOOK_SECONDS)


def letter(to: str, name: str, token: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bench@example.com", to, "Welcome"
    message.set_content(f"Hello {name},\n\nyour token is {token}.\n" + "As many words as ours has. " * 12)
    return message


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
