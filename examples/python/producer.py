#!/usr/bin/env python3
"""Publishes events to a hub, one JSON object a line, with the standard library only (Python 3.9 or newer).

    HUB_API_KEY=... python3 producer.py events.jsonl
    tail -F events.jsonl | HUB_API_KEY=... python3 producer.py

A line is {"type": ..., "source": ..., "payload": {...}} and what else the hub takes. Its idempotency key is the one that
it brings, else a hash of the line: so the same file may be sent again, and whatever was taken before is a duplicate. Two
equal lines that are two events need keys of their own.

Ends with 0 when every line was taken, 1 when some were refused, 2 when the hub will take none (the key, the URL), and
3 when it could not be reached; the line it stopped at is named, and starting again from the first is harmless.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

PASSING = {408, 429, 502, 503, 504}  # the same request may be answered otherwise in a while
ABOUT_THE_LINE = {400, 413, 422}  # the other lines are not affected
NOT_YOURS = {"unknown_business", "unknown_location"}  # so is this, though it is a 404
KEY_FIELDS = ("idempotency_key", "producer_idempotency_key", "dedupe_key", "event_id", "id")
TRY_SECONDS = 10
LONGEST_WISH = 30  # seconds that the hub may ask us to wait
LONGEST_PAUSE = 5


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to wherever it points."""

    def redirect_request(self, *_):
        return None


class Stop(Exception):
    """No line will fare better than this one; `code` is what the process ends with."""

    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


def pause(tries, wish, chance=random.random):
    """Seconds before the next try: full jitter below a doubling bound, and never sooner than the hub asked."""
    return min(wish, LONGEST_WISH) + chance() * min(LONGEST_PAUSE, 0.25 * 2 ** (tries - 1))


def wish_of(headers):
    """The seconds of a Retry-After, which may be a date; 0 where there is none that can be read."""
    given = (headers.get("Retry-After") or "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def problem_of(error):
    """What a refusal says: the code of the hub's problem details, and the rest in one line."""
    try:
        said = json.loads(error.read())
        where = "; ".join(f"{one['pointer'] or 'the event'}: {one['detail']}" for one in said.get("errors", []))
        return said["code"], f"{error.code} {said['code']}: {where or said['detail']}"
    except (ValueError, KeyError, TypeError, AttributeError, OSError, http.client.HTTPException):
        return "", f"{error.code}, and no problem details: is HUB_URL the hub's?"


def publish(opener, url, key, line, attempts):
    """Sends one line until it is answered. Returns whether it was taken, and what to say of it."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return False, "not JSON"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if isinstance(event, dict) and all(event.get(field) is None for field in KEY_FIELDS):
        headers["Idempotency-Key"] = hashlib.sha256(line).hexdigest()
    # The same bytes and the same key every time: whichever try arrives, it is one event.
    request = urllib.request.Request(f"{url}/v1/events", data=line, headers=headers, method="POST")
    for tries in range(1, attempts + 1):
        wish = 0.0
        try:
            with opener.open(request, timeout=TRY_SECONDS) as response:
                answer = json.load(response)
                return True, f"{answer['status']} {answer['id']}"
        except urllib.error.HTTPError as error:
            with error:
                code, why = problem_of(error)
                if error.code in ABOUT_THE_LINE or code in NOT_YOURS:
                    return False, why
                if error.code not in PASSING:
                    raise Stop(2, why) from None
                wish = wish_of(error.headers)
        except (OSError, http.client.HTTPException) as error:  # no answer, half an answer, or none in time
            why = str(getattr(error, "reason", error))
        except (ValueError, KeyError, TypeError):
            raise Stop(2, "an answer that no hub gives: is HUB_URL the hub's?") from None
        if tries < attempts:
            time.sleep(pause(tries, wish))
    raise Stop(3, f"gave up after {attempts} tries: {why}")


def main():
    parser = argparse.ArgumentParser(description="Publishes events to a hub, one JSON object a line.")
    parser.add_argument("file", nargs="?", help="JSON lines; without it, standard input")
    parser.add_argument("--attempts", type=int, default=6, help="tries for each line (6)")
    options = parser.parse_args()
    url = os.environ.get("HUB_URL", "http://localhost:4000").rstrip("/")
    key = os.environ.get("HUB_API_KEY", "")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        print("HUB_API_KEY is not set, or holds what no header can carry", file=sys.stderr)
        return 2
    opener = urllib.request.build_opener(NoRedirect)
    refused = False
    try:
        source = open(options.file, "rb") if options.file else sys.stdin.buffer
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    with source as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                taken, said = publish(opener, url, key, line.strip(), options.attempts)
            except Stop as stop:
                print(f"stopped at line {number}: {stop}", file=sys.stderr)
                return stop.code
            refused = refused or not taken
            print(f"line {number}: {said}", file=sys.stdout if taken else sys.stderr, flush=True)
    return 1 if refused else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
