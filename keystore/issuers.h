/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuers.h: certification authorities of others that answer by themselves: CMP (RFC 4210), EST (RFC 7030), a command.
 *
 * A request is opened in one transaction: the key sealed, the request beside it, and that an issuer is to be asked.
 * Then the issuer is talked to with no transaction open, and what it gave comes in, in a third step. A kill at any
 * point leaves a request that the next round asks for again, with the same key.
 */
#ifndef KS_ISSUERS_H
#define KS_ISSUERS_H

#include "keystore/http.h"
#include "keystore/renewal.h"

enum ks_issuer_kind { KS_ISSUER_NONE, KS_ISSUER_CMP, KS_ISSUER_EST, KS_ISSUER_EXEC };

#define KS_ISSUER_ARGS       16
#define KS_ISSUERS_MAX       32
#define KS_ISSUER_TIMEOUT_MS 60000

/** One block issuer NAME { }. Plain data: a copy is one's own. */
typedef struct ks_issuer {
    char name[KS_WORD];
    enum ks_issuer_kind kind;
    char server[512];              /**< cmp, est: URL */
    char arg[KS_ISSUER_ARGS][256]; /**< exec: the program and its arguments */
    size_t n_arg;
    char user[128];           /**< cmp: reference of the secret; est: who logs in. "" none */
    char password_file[1024]; /**< its first line */
    char ca_file[1024];       /**< PEM: authorities of the server's TLS, and of signed CMP answers; "" the system's */
    int64_t timeout_ms;       /**< of one talk */
} ks_issuer;

/** What a configuration has of them. Borrowed. */
typedef struct ks_issuers {
    const ks_issuer *const *issuer;
    size_t n;
    bool commands; /**< issuers of kind exec may be asked: not in a process that is confined */
    ks_stop stop;
} ks_issuers;

/** What an issuer gave, or why not. */
typedef struct ks_issued {
    char alias[KS_WORD], issuer[KS_WORD];
    unsigned n; /**< of the entry, or the number that it will have */
    bool done;  /**< the certificate came in */
    bool waits; /**< asked again at next_at; else a person must look */
    cs_time next_at;
    uint64_t generation;
    char text[384]; /**< why not; "" done */
} ks_issued;
typedef int ks_visit_issued(void *ctx, const ks_issued *i, cs_error *e);

/** Which certificate is wanted, and of whom. */
typedef struct ks_ask {
    const ks_new *new;
    const char *issuer; /**< NULL: the slot's */
    bool replace;       /**< as ks_renew: the inactive entry of a full slot will make room */
} ks_ask;
/** A key is made and sealed for the alias (as ks_csr_make), and its request is the issuer's from now on; nobody is
 * talked to. An open request goes on. Unknown issuer: exit 64. */
int ks_issue_ask(ks_store *s, const ks_issuers *all, const ks_ask *ask, bool dry_run, const ks_actor *who, cs_time now,
                 ks_csr *out, ks_outcome *refused, cs_error *e) CS_MUST_CHECK;
/** Talk to the issuers of open requests that are due; alias: of this slot alone, due or not; NULL: of all. Each is told
 *  to visit. May run in several processes at once. Blocks up to the time limit per request. *next: when the next is
 * due; 0: none waits. @return 0, or -1: the store cannot be worked with */
int ks_issue_due(ks_store *s, const ks_issuers *all, const char *alias, cs_time now, ks_visit_issued *visit, void *ctx,
                 cs_time *next, cs_error *e) CS_MUST_CHECK;
/** Name of the issuer of a slot; "" the keystore's own authority. */
int ks_issuer_of(ks_store *s, const char *alias, char out[KS_WORD], cs_error *e) CS_MUST_CHECK;

#endif
