/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore.h: what the keystore commands share: entries as written on the command line, the store opened as its owner,
 * who calls, and how an entry, a refusal and an outcome are shown to people and as JSON.
 */
#ifndef CLI_KEYSTORE_H
#define CLI_KEYSTORE_H

#include "base/json.h"
#include "cli/settings.h"
#include "keystore/keystore.h"
#include "keystore/renewal.h"

/* ---- arguments -------------------------------------------------------------------------------------------------- */

struct cli_entry {
    char alias[KS_WORD];
    unsigned n; /**< 0: the whole slot */
};

/** Read "alias#2", and with slot_too also "alias". @return 0, or -1: the usage error is printed */
int cli_entry_read(struct cli_context *c, const char *text, bool slot_too, struct cli_entry *out) CS_MUST_CHECK;
/** An input file, "-" for stdin: at most one octet more than any certificate or key may have, so that the library sees
 *  that it is too large. @return 0 with out filled (wipe it where it holds a key), or -1 with c->error set (3) */
int cli_file_read(struct cli_context *c, const char *path, cs_buf *out) CS_MUST_CHECK;

/** Options that every writing verb has; a row each in its table. */
#define CLI_WRITING_OPTIONS                                                                                            \
    {"dry-run", 0, CLI_FLAG, NULL, 0, "tell what would happen and which guard refuses; change nothing"},               \
        {"reason", 0, CLI_TEXT, "TEXT", 0, "why, for the audit"},                                                      \
    {                                                                                                                  \
        "wait", 0, CLI_DURATION, "DURATION", 0, "wait so long for the lock, then until every live node follows (13)"   \
    }

/** Octets to stdout (path NULL or "-"), or to a file of that mode, which takes the place of one that was there when it
 * is complete. @return 0, or -1 with c->error set (69) */
int cli_output_write(struct cli_context *c, const char *path, const char *p, size_t n, unsigned mode) CS_MUST_CHECK;

/* ---- store ------------------------------------------------------------------------------------------------------ */

/** As cli_open_store for writing, with --wait. Called by root on a store of another account, the process works as that
 * account from here on, so that no file is left that the gateway cannot open: inputs are read before. */
int cli_keystore_open(struct cli_context *c, struct cli_settings **settings, ks_store **store) CS_MUST_CHECK;
/** Become the owner of the store behind an "sqlite:" URI (of its directory where it is not there yet), when root calls.
 *  @return 0, or -1 with c->error set */
int cli_become_owner(struct cli_context *c, const char *uri) CS_MUST_CHECK;

/** Who calls, for the audit: the login uid, which a change of account leaves as it was, else the real one. */
struct cli_caller {
    char name[64];
    ks_actor actor; /**< borrows name and the value of --reason */
};
void cli_caller_find(const struct cli_context *c, struct cli_caller *out);

/** Warn that the store has no such partner, with the nearest one that it has. */
void cli_warn_unknown_partner(struct cli_context *c, ks_store *s, const char *partner);

/* ---- output ----------------------------------------------------------------------------------------------------- */

/** "alias#2" into out. */
void cli_entry_text(const ks_info *info, char *out, size_t size);
/** The date of t, UTC. @return out */
const char *cli_date(cs_time t, char out[CS_TIME_TEXT]);
/** t in UTC, with the local time beside it where that differs. @return out */
const char *cli_time_local(cs_time t, char *out, size_t size);

/** A span in its greatest unit: "12 d", "5 h", "2 s". @return out */
const char *cli_span(int64_t seconds, char *out, size_t size);
/** Where an entry is used, and who has the same key, for people. */
void cli_where_print(const ks_evidence *v);

/** The members of the record of an entry into an open object. */
void cli_record_json(cs_json *j, const ks_info *info, const ks_action *action, int n_action);
/** One refusal as an object of an open array; action: the verb refused, NULL: not said. */
void cli_refusal_json(cs_json *j, const ks_refusal *r, const char *action);
/** Print a finished JSON line. @return exit code */
int cli_json_line(struct cli_context *c, cs_buf *b);
/** With --wait: until every live node works with generation. @return exit code; 13: the change stands, some lag */
int cli_wait_applied(struct cli_context *c, ks_store *s, uint64_t generation);

/** One entry as one JSON line: the record that list, show, add, acceptable and the verbs share. @return exit code */
int cli_record_print(struct cli_context *c, ks_store *s, const ks_info *info);
/** Entries as a table. at: the instant for which spans are counted. */
void cli_table_print(const ks_list *list, cs_time at);
/** One entry in full for people, with where it is used. @return exit code */
int cli_entry_print(struct cli_context *c, ks_store *s, const ks_info *info);

/** Open requests as lists show them, below the entries. @return exit code */
int cli_requests_print(struct cli_context *c, ks_store *s, const ks_filter *f);

/** Slots that renew themselves, below a list for people. @return exit code */
int cli_autos_print(struct cli_context *c, ks_store *s, const ks_filter *f);
/** Member "auto" of a slot's record: how it renews itself, null where that was never said. @return 0, or -1 with
 *  c->error set */
int cli_auto_member(struct cli_context *c, ks_store *s, const ks_info *info, cs_json *j) CS_MUST_CHECK;

#define CLI_HOSTS_MAX 64
/** --host, as often as given. @return 0, or -1: the usage error is printed */
int cli_hosts_read(struct cli_context *c, const char *host[CLI_HOSTS_MAX], size_t *n) CS_MUST_CHECK;

/** Whom a change would concern. */
struct cli_concerns {
    ks_node_list nodes;
    ks_evidence where;
};
/** @return 0, or -1 with c->error set; out to be freed in either case */
int cli_concerns_read(struct cli_context *c, ks_store *s, const ks_info *info, struct cli_concerns *out) CS_MUST_CHECK;
/** As members of an open object, or (j NULL) as lines on stdout. */
void cli_concerns_tell(const struct cli_concerns *k, cs_json *j);
void cli_concerns_free(struct cli_concerns *k);

/** A change as asked for. */
struct cli_change {
    const char *verb;   /**< "add", "remove" … */
    const char *target; /**< "acme-sign#1"; for add the alias */
    bool dry_run;
    bool prints_entry; /**< add: the entry alone on stdout, the sentence on stderr */
};
/** Print the guards that refuse. @return exit code */
int cli_refused(struct cli_context *c, const struct cli_change *change, const ks_outcome *out);
/** One change by the library; what: its request. @return and out as ks_change */
typedef int cli_change_do(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now,
                          ks_outcome *out, cs_error *e);
/**
 * Open the store, let carry change it in the name of who calls, and print what came of it in the form asked for: the
 * entry or a sentence on stdout, notes on stderr; with --json one record. Refusals are lines "refused G8 retention: …"
 * on stderr, and with --json an object as well. Then, with --wait, wait for the nodes. @return exit code
 */
int cli_change_run(struct cli_context *c, const struct cli_change *change, cli_change_do *carry, const void *what);

#endif
