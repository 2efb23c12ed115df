/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h: what nodes found when they called the other side with one of our certificates, and who is to call: a probe
 * is asked for by a person or a roll-over, each live node runs it and stores what came of it. Results decide guard G11
 * and steps of roll-overs. As keystore.h: a ks_store belongs to one thread, every decision takes now, 0 or -1 with the
 * error filled.
 */
#ifndef KS_PROBE_H
#define KS_PROBE_H

#include "keystore/keystore.h"

#define KS_TARGET 256 /* octets of an upstream's address, with its NUL */

enum ks_probe_outcome {
    KS_PROBE_SILENT, /**< no evidence: not reached, another answer, or the server asked for no certificate */
    KS_PROBE_ACCEPTED,
    KS_PROBE_REFUSED /**< a TLS alert about the certificate, 400, 401, 403 */
};
const char *ks_probe_outcome_word(enum ks_probe_outcome o);

/** What one node found of one entry at one upstream; the newest of each. */
typedef struct ks_probe_result {
    char node[KS_WORD];
    char alias[KS_WORD];
    unsigned n;
    char target[KS_TARGET]; /**< where: the upstream as configured */
    enum ks_probe_outcome outcome;
    bool asked;       /**< the server asked for a client certificate */
    int status;       /**< of HTTP; 0: no reply */
    char tls[16];     /**< "TLSv1.3"; "" not known */
    char detail[200]; /**< a sentence; "" none */
    cs_time at;
} ks_probe_result;

/** Store what a node found (upkeep: needs no generation). Unknown entry: exit 64. */
int ks_probe_put(ks_store *s, const ks_probe_result *r, cs_error *e) CS_MUST_CHECK;
/** All at once: nobody sees what some targets of a node said before the others did. */
int ks_probe_put_all(ks_store *s, const ks_probe_result *r, size_t n, cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_probe(void *ctx, const ks_probe_result *r, cs_error *e);
/** Results of alias#n (n 0: of all entries of the slot), by entry, target and node. Unknown entry: exit 64. */
int ks_probe_each(ks_store *s, const char *alias, unsigned n, ks_visit_probe *visit, void *ctx,
                  cs_error *e) CS_MUST_CHECK;

/** Ask every live node to probe with alias#n: a generation of kind probe, so that all of them see it. Without a key
 * that can be presented: exit 64. *generation: as of which it is asked. */
int ks_probe_ask(ks_store *s, const char *alias, unsigned n, const ks_actor *who, cs_time now, uint64_t *generation,
                 cs_error *e) CS_MUST_CHECK;
/** What is asked for, newest first: a node that has no result of its own since at runs it. Those older than
 *  KS_PROBE_FRESH are left out. */
typedef struct ks_probe_asked {
    char alias[KS_WORD];
    unsigned n;
    cs_time at;
} ks_probe_asked;
typedef int ks_visit_asked(void *ctx, const ks_probe_asked *a, cs_error *e);
int ks_probe_asks(ks_store *s, cs_time now, ks_visit_asked *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

/** When a probe with alias#n was asked for last; 0: not, or so long ago that the answers say nothing any more. */
int ks_probe_asked_at(ks_store *s, const char *alias, unsigned n, cs_time now, cs_time *at, cs_error *e) CS_MUST_CHECK;

#define KS_PROBE_FRESH 3600 /* seconds for which a result is evidence, and an ask is open */

/** What the results of an entry say together. */
typedef struct ks_probe_said {
    size_t nodes, accepted, refused,
        silent;     /**< live nodes that use the slot; of these: all its targets accept, one refuses, the others */
    size_t unheard; /**< of the others: nothing was heard yet */
    char text[200]; /**< "accepted (200) on gw1 gw2; no result of gw3" */
} ks_probe_said;
/** Results not older than since (and KS_PROBE_FRESH) of live nodes. */
int ks_probe_summary(ks_store *s, const char *alias, unsigned n, cs_time since, cs_time now, ks_probe_said *out,
                     cs_error *e) CS_MUST_CHECK;

/** Does a route of the node with a probe { } present the slot's certificate (1), or sign with its key (how many
 * requests are to be seen accepted)? Then guard G11 asks for it; 0: not. */
int ks_probe_wanted(ks_store *s, const char *node, const char *alias, unsigned wanted, cs_time now,
                    cs_error *e) CS_MUST_CHECK;
/** The most that a live node asks for, 0: nothing. */
int ks_probe_wants(ks_store *s, const char *alias, cs_time now, unsigned *wanted, cs_error *e) CS_MUST_CHECK;
/** For guard G11 within a transaction: what is known of alias#n. *wanted: a live node has a probe for the slot. */
int ks_probe_state(ks_store *s, const char *alias, unsigned n, cs_time now, bool *wanted, ks_probe_said *out,
                   cs_error *e) CS_MUST_CHECK;

/* ---- numbers that a node reports for roll-overs --------------------------------------------------------------- */

typedef struct ks_gauge {
    const char *kind; /**< "under-way", "waiting": of a route; "old-connections": of "front" or "back" */
    const char *object;
    int64_t n;
} ks_gauge;
/** In the place of those before, as upkeep. */
int ks_gauges_put(ks_store *s, const char *node, const ks_gauge *g, size_t n, cs_time now, cs_error *e) CS_MUST_CHECK;
/** Does a roll-over wait for such numbers: is one under way? */
int ks_gauges_wanted(ks_store *s, bool *wanted, cs_error *e) CS_MUST_CHECK;

#endif
