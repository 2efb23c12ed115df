/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c: the one schema (SQLite types). Instants are UTC seconds, 0 for "none" where a rule compares them.
 *
 * What no bug may ever commit stands here a second time, beside the rules: one active entry per one-active slot (a
 * partial unique index), no retirement before process stop, a process stop that never shrinks, no deleted entry, an
 * audit log that only grows.
 */
#include "keystore/schema.h"

static const struct ks_schema_row schema_row[] = {
    {1, "meta", "key text primary key, value text not null", true, NULL},
    {1, "generation",
     "gen integer primary key, at integer not null, kind text not null, actor text not null, "
     "reason text, audit_seq integer not null",
     false, "create index generation_at on generation(at, gen);\n"},
    {1, "partner",
     "partner text primary key, guaranteed_delivery integer not null default 0, "
     "expired_certificate text, trust text, policy_json text",
     true, NULL},
    {1, "slot",
     "slot_id integer primary key, alias text not null unique, role text not null, partner text not null, "
     "max_keyed integer not null default 0, max_active integer not null, auto text, pinning text, issuer text, "
     "policy_json text, version integer not null",
     false, "create index slot_partner on slot(partner, role);\n"},
    {1, "private_key",
     "key_id text primary key, spki_sha256 blob not null, backend text not null, kek_id text, "
     "nonce blob, ct blob, tag blob, pkcs11_uri text, created_at integer not null, destroyed_at integer",
     true, NULL},
    {1, "entry",
     "entry_id integer primary key, slot_id integer not null references slot, n integer not null, "
     "state text not null check(state in "
     "('pre-active','active','deactivated','archived','suspended','compromised','destroyed')), "
     "resume_state text, one_key text, sha256 blob not null, sha1 blob not null, ski blob, spki_sha256 blob not null, "
     "subject_dn text not null, issuer_dn text not null, serial text not null, key_alg text not null, key_bits integer "
     "not null, "
     "not_before integer not null, not_after integer not null, der blob not null, chain_der blob, key_id text, "
     "origin text, created_at integer not null, activated_at integer not null default 0, exchanged_at integer not null "
     "default 0, "
     "process_stop integer not null default 0, compromised_since integer not null default 0, destroyed_at integer, "
     "changed_at integer not null, predecessor integer, version integer not null, unique(slot_id, n)",
     false,
     "create unique index one_certificate on entry(slot_id, sha256) where state <> 'destroyed';\n"
     "create unique index one_active on entry(slot_id, one_key) where state = 'active';\n"
     "create index entry_version on entry(version);\n"
     "create index entry_spki on entry(spki_sha256);\n"
     "create trigger g8 before update of state on entry "
     "when old.state in ('deactivated','suspended','compromised') and new.state in ('archived','destroyed') "
     "and old.exchanged_at <> 0 and (old.process_stop = 0 or new.changed_at < old.process_stop) "
     "begin select raise(abort, 'G8'); end;\n"
     "create trigger g8_stop before update of process_stop on entry "
     "when new.state = old.state and old.process_stop <> 0 and new.process_stop < old.process_stop "
     "begin select raise(abort, 'G8 process stop shrinks'); end;\n"
     "create trigger entry_kept before delete on entry begin select raise(abort, 'entries are never deleted'); end;\n"},
    {1, "interval",
     "entry_id integer not null references entry, capability text not null, from_ts integer not null, "
     "to_ts integer, cause_seq integer not null, end_seq integer",
     false,
     "create index interval_entry on interval(entry_id, capability, end_seq);\n"
     "create trigger interval_kept before delete on interval begin select raise(abort, 'intervals are never deleted'); "
     "end;\n"
     "create trigger interval_fixed before update on interval when old.end_seq is not null or new.entry_id <> "
     "old.entry_id "
     "or new.capability <> old.capability or new.from_ts <> old.from_ts or new.to_ts is not old.to_ts "
     "or new.cause_seq <> old.cause_seq "
     "begin select raise(abort, 'intervals are never altered'); end;\n"},
    {1, "mapping",
     "map_id integer primary key, route text not null, user text, kind text not null, subject_dn text, "
     "issuer_dn text, entry_id integer references entry, from_ts integer not null, to_ts integer",
     false, NULL},
    {1, "use_day",
     "entry_id integer not null references entry, node_id text not null, day integer not null, "
     "ok integer not null, bad integer not null, first_at integer not null, last_at integer not null, "
     "primary key(entry_id, node_id, day)",
     true, NULL},
    {1, "node",
     "node_id text primary key, applied_gen integer not null, applied_at integer not null, "
     "clock_at integer not null, build text, conf_sha256 text",
     true, NULL},
    {1, "node_uses", "node_id text not null, route text not null, alias text not null, partner text not null", false,
     "create index node_uses_partner on node_uses(partner);\n"},
    {1, "crl",
     "issuer_dn text not null, sha256 blob not null, der blob not null, this_update integer not null, "
     "next_update integer, added_at integer not null",
     false, NULL},
    {1, "hold", "route text primary key, since integer not null, actor text not null, reason text", true, NULL},
    {1, "open_message",
     "ref text not null, entry_id integer not null references entry, since integer not null, "
     "state text not null, primary key(ref, entry_id)",
     true, NULL},
    {1, "trash",
     "entry_id integer primary key references entry, at integer not null, until integer not null, actor text not null",
     false, NULL},
    {1, "audit",
     "seq integer primary key, at integer not null, actor text not null, actor_kind text not null, peer text, "
     "verb text not null, object text not null, before_json text, after_json text, reason text, approver text, "
     "prev_hash blob not null, hash blob not null",
     false,
     "create trigger audit_fixed before update on audit begin select raise(abort, 'the audit log is append-only'); "
     "end;\n"
     "create trigger audit_kept before delete on audit begin select raise(abort, 'the audit log is append-only'); "
     "end;\n"},
    /* ---- version 2: approvals, scheduled changes, use by sender, observations, roll-overs, notices ---- */
    {2, "approval",
     "approval_id integer primary key, plan_hash blob not null, plan text not null, verb text not null, "
     "object text not null, proposer text not null, reason text, proposed_at integer not null, expires_at integer not "
     "null, "
     "approver text, approved_at integer not null default 0, used_at integer not null default 0",
     false,
     "create index approval_plan on approval(plan_hash, used_at);\n"
     "create trigger approval_kept before delete on approval begin select raise(abort, 'approvals are never deleted'); "
     "end;\n"},
    {2, "schedule",
     "entry_id integer not null references entry, verb text not null, due_at integer not null, "
     "set_at integer not null, actor text not null, reason text, primary key(entry_id, verb)",
     true, NULL},
    {2, "canary",
     "entry_id integer primary key references entry, share integer not null check(share between 1 and 99), "
     "since integer not null, actor text not null, reason text",
     true, NULL},
    {2, "use_sender",
     "entry_id integer not null references entry, node_id text not null, day integer not null, "
     "sender text not null, n integer not null, last_at integer not null, primary key(entry_id, node_id, day, sender)",
     true, NULL},
    {2, "node_place", "node_id text primary key, place text not null", true, NULL},
    {2, "observation",
     "node_id text not null, kind text not null, object text not null, gen integer not null, "
     "n integer not null, last_at integer not null, primary key(node_id, kind, object, gen)",
     true, NULL},
    {2, "lease", "name text primary key, holder text not null, fence integer not null, until integer not null", true,
     NULL},
    {2, "seen_certificate",
     "partner text not null, sha256 blob not null, der blob not null, first_at integer not null, "
     "last_at integer not null, n integer not null, primary key(partner, sha256)",
     true, NULL},
    {2, "rollover",
     "roll_id integer primary key, slot_id integer not null references slot, runbook text not null, "
     "runbook_text text not null, runbook_hash blob not null, state text not null, old_entry integer, new_entry "
     "integer, "
     "window_from integer not null default 0, window_to integer not null default 0, started_at integer not null, "
     "actor text not null, ended_at integer not null default 0, settings text not null",
     false, "create unique index rollover_open on rollover(slot_id) where state = 'open';\n"},
    {2, "rollover_step",
     "roll_id integer not null references rollover, n text not null, state text not null, said text not null, "
     "done_by text not null, done_at integer not null default 0, told_at integer not null default 0, evidence text, "
     "primary key(roll_id, n)",
     true, NULL},
    {2, "probe",
     "node_id text not null, entry_id integer not null references entry, target text not null, "
     "outcome integer not null, asked integer not null, status integer not null, tls text not null, "
     "detail text not null, at integer not null, primary key(node_id, entry_id, target)",
     true, NULL},
    {2, "probe_ask", "entry_id integer primary key references entry, at integer not null", true, NULL},
    {2, "subscriber",
     "sub_id integer primary key, slot_id integer not null references slot, name text not null, "
     "mail text not null, kind text not null, added_at integer not null, actor text not null, unique(slot_id, mail)",
     false, NULL},
    {2, "notification",
     "dedup_key text primary key, kind text not null, entry_id integer, about text, threshold integer not null, "
     "due_at integer not null, text text, subject text, body text, attach integer not null, link text",
     true, NULL},
    {2, "delivery",
     "dedup_key text not null references notification, mail text not null, name text not null, "
     "sub_id integer references subscriber, state text not null, attempts integer not null default 0, "
     "next_at integer not null, message_id text not null, last_error text, primary key(dedup_key, mail)",
     true, NULL},
    {2, "link",
     "token_hash blob primary key, roll_id integer not null references rollover, n text not null, role text not null, "
     "expires integer not null, used_at integer not null default 0",
     true, NULL},
    {2, "opt_out",
     "token_hash blob primary key, slot_id integer not null references slot, mail text not null, "
     "made_at integer not null",
     true, NULL},
    {2, "key_request",
     "slot_id integer primary key references slot, n integer not null, key_id text not null, subject_dn text not null, "
     "csr blob not null, created_at integer not null, actor text not null",
     false, NULL},
    {2, "renewal",
     "predecessor integer primary key references entry, slot_id integer not null references slot, successor integer, "
     "made_at integer not null default 0, attempts integer not null default 0, next_at integer not null default 0, "
     "last_error text",
     false, "create index renewal_slot on renewal(slot_id);\n"},
    {2, "issuing",
     "slot_id integer primary key references slot, issuer text not null, follows integer not null default 0, "
     "replaces integer not null default 0, attempts integer not null default 0, next_at integer not null default 0, "
     "last_error text",
     true, NULL},
    {2, "api_token",
     "id text primary key, secret_sha256 blob not null, roles text not null, scopes text not null, "
     "expires integer not null, actor text not null, added_at integer not null",
     true, NULL},
};

const struct ks_schema_row *ks_schema_rows(size_t *n)
{
    *n = sizeof schema_row / sizeof schema_row[0];
    return schema_row;
}

static const struct ks_schema_audit audit_row[] = {
    {"meta", "key", "key in ('served', 'clock_high_water', 'clock_witness')"},
    {"generation", "gen", NULL},
    {"partner", "partner", NULL},
    {"slot", "slot_id", NULL},
    {"private_key", "key_id", NULL},
    {"entry", "entry_id", NULL},
    {"interval", "entry_id capability from_ts cause_seq", NULL},
    {"mapping", "map_id", NULL},
    {"crl", "sha256", NULL},
    {"hold", "route", NULL},
    {"open_message", "entry_id ref", NULL},
    {"trash", "entry_id", NULL},
    {"approval", "approval_id", NULL},
    {"schedule", "entry_id verb", NULL},
    {"canary", "entry_id", NULL},
    {"key_request", "slot_id", NULL},
    {"renewal", "predecessor", NULL},
    {"subscriber", "sub_id", NULL},
    {"rollover", "roll_id", NULL},
    {"rollover_step", "roll_id n", NULL},
};

const struct ks_schema_audit *ks_schema_audited(size_t *n)
{
    *n = sizeof audit_row / sizeof audit_row[0];
    return audit_row;
}
