# SPDX-License-Identifier: Apache-2.0
"""Journals of archive runs written by a second hand, record by record, and read back."""
import hashlib
import json
import os

STARTED = "2026-11-21T02:10:00Z"
ORDER = {"path": ["in"], "directory": "/srv", "partner": None, "policy": None, "as_of": None, "received": [],
         "received_format": None, "received_zone": None, "trust_claimed": False, "max_member": 67108864, "max_ratio": 200,
         "max_members": 10000000, "max_nesting": 3, "item_ms": 10000, "ndjson_field": None, "ndjson_text": False, "shard": 0,
         "shards": 0, "has_expect_count": False, "expect_count": 0, "expect_manifest": None, "chain": None, "bundle": None,
         "timestamp_anchors": []}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def certificate(entry, key=None, state="active", process_stop=None):
    return {"alias": entry.split("#")[0], "entry": entry, "sha256": sha("certificate " + entry),
            "spki_sha256": sha("key " + (key or entry)), "state": state, "not_after": "2030-01-01T00:00:00Z",
            "process_stop": process_stop}


def record(loc, verdict="pass", reason=None, entry="acme-sign#1", t="2026-08-02T22:40:10Z", **more):
    """A record as a run writes it; also: entries with the same key."""
    reason = reason or {"pass": "ok", "fail": "digest-mismatch", "indeterminate": "time-unknown", "error": "xml-malformed"}[verdict]
    one = {"v": 1, "seq": 0, "size": 4000, "loc": loc, "run": "01JD8Z0000000000000000000A",
           "payload_sha256": sha(more.pop("payload", loc)), "partner": "acme" if entry else None, "verdict": verdict, "reason": reason,
           "detail": None if verdict == "pass" else f"of {loc}", "t": t, "time_source": "received" if t else "now",
           "claimed": t, "certificate": entry and certificate(entry), "also_matches": [], "signature": None, "covers": ["Body"],
           "decrypted_with": None, "generation": 57, "policy": "default", "notes": [], "verdict_now": verdict,
           "reason_now": reason, "facts": reason, "state_at_t": "active" if entry else None, "sub_indication": None, "dup_of": None, "us": 700}
    one.update(more)
    return one


def read(directory):
    """@return the records of a journal; none where it has none"""
    path = os.path.join(directory, "results.ndjson")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as text:
        return [json.loads(line) for line in text]


def stable(records):
    """What two runs over the same say alike."""
    return [{k: v for k, v in one.items() if k not in ("run", "us")} for one in records]


def write(directory, records, order=None, **run):
    """Make a journal; records are numbered in their order."""
    os.makedirs(directory)
    head = {"v": 1, "run": "01JD8Z0000000000000000000A", "started": STARTED, "version": "1.0.0", "policy_sha256": sha("policy"),
            "generation": 57, "keystore_sha256": None, "order": dict(ORDER, **(order or {}))}
    head.update(run)
    with open(os.path.join(directory, "run.json"), "w", encoding="utf-8") as text:
        text.write(json.dumps(head, separators=(",", ":")) + "\n")
    with open(os.path.join(directory, "results.ndjson"), "w", encoding="utf-8") as text:
        for number, one in enumerate(records, 1):
            text.write(json.dumps(dict(one, seq=one["seq"] or number), separators=(",", ":"), ensure_ascii=False) + "\n")
    return directory


def lines(directory):
    with open(os.path.join(directory, "results.ndjson"), "rb") as octets:
        return octets.read().splitlines()


def merkle(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + merkle(leaves[:k]) + merkle(leaves[k:])).digest()
