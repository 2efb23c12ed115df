/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: see link.h. */
#include "keystore/link.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/notice_store.h"
#include "keystore/rollover.h"

#define OPT_OUT      "unsubscribe "
#define TOKEN_OCTETS 16
#define LASTS        (2 * 365 * CS_DAY) /* of a link that takes off a list: who keeps a mail so long writes to somebody */

int ks_link_hash(const char *token, uint8_t hash[32], cs_error *e)
{
    unsigned n = 0;
    if (strlen(token) != KS_LINK_TOKEN - 1 || strspn(token, "0123456789abcdef") != KS_LINK_TOKEN - 1) {
        return cs_error_set(e, CS_EXIT_USAGE, "link-unknown", "this link is not known");
    }
    return EVP_Digest(token, KS_LINK_TOKEN - 1, hash, &n, EVP_sha256(), NULL) == 1
               ? 0
               : cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no hash could be made");
}

int ks_link_token(char token[KS_LINK_TOKEN], uint8_t hash[32], cs_error *e)
{
    uint8_t octets[TOKEN_OCTETS];
    if (RAND_bytes(octets, sizeof octets) != 1) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no random octets could be had");
    }
    cs_hex(octets, sizeof octets, token);
    OPENSSL_cleanse(octets, sizeof octets);
    return ks_link_hash(token, hash, e);
}

void ks_link_opt_out(const char *alias, char *out, size_t size)
{
    snprintf(out, size, OPT_OUT "%s", alias);
}

/* ---- made ------------------------------------------------------------------------------------------------------- */

static int make_opt_out(ks_store *s, const char *alias, const char *address, cs_time now, char token[KS_LINK_TOKEN],
                        cs_error *e)
{
    struct ks_opt_out_row row = {.made_at = now};
    struct ks_slot slot = {0};
    int rc = -1;
    cs_copy(row.mail, sizeof row.mail, address);
    if (s->driver->begin(s->b, KS_UPKEEP, e) == 0 && s->driver->slot_get(s->b, alias, &slot, e) == 1 &&
        ks_link_token(token, row.token_hash, e) == 0) {
        row.slot_id = slot.slot_id;
        rc = s->driver->notices->opt_out_add(s->b, &row, now - LASTS, e) == 0 ? s->driver->commit(s->b, e) : -1;
    }
    s->driver->rollback(s->b);
    return rc;
}

int ks_link_write(const char *base, ks_store *s, const char *reference, const char *address, cs_time now, cs_buf *out,
                  cs_error *e)
{
    char token[KS_LINK_TOKEN] = "";
    bool opt_out = strncmp(reference, OPT_OUT, sizeof OPT_OUT - 1) == 0;
    int rc = opt_out ? make_opt_out(s, reference + sizeof OPT_OUT - 1, address, now, token, e)
                     : ks_link_make(s, reference, address, now, token, e);
    if (rc == 0) {
        cs_buf_addf(out, "%s%s%s", base, opt_out ? KS_LINK_OPT_OUT : KS_LINK_STEP, token);
        rc = out->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
    }
    OPENSSL_cleanse(token, sizeof token);
    return rc;
}

/* ---- used ------------------------------------------------------------------------------------------------------- */

struct search {
    const char *mail;
    bool found;
};

static int find(void *ctx, const ks_subscriber *row, cs_error *e)
{
    struct search *search = ctx;
    (void)e;
    search->found = search->found || strcasecmp(row->mail, search->mail) == 0;
    return 0;
}

int ks_opt_out_look(ks_store *s, const char *token, ks_opt_out *out, cs_error *e)
{
    struct ks_opt_out_row row = {0};
    struct search search = {.mail = out->mail};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_need_notices(s, e) != 0 || ks_link_hash(token, row.token_hash, e) != 0 ||
        s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int found = s->driver->notices->opt_out_get(s->b, &row, out->alias, e);
    if (found == 0) {
        cs_error_set(e, CS_EXIT_USAGE, "link-unknown", "this link is not known");
    } else if (found == 1) {
        cs_copy(out->mail, sizeof out->mail, row.mail);
        rc = s->driver->notices->subscribers(s->b, row.slot_id, find, &search, e);
        out->listed = search.found;
    }
    s->driver->rollback(s->b);
    return rc;
}

int ks_opt_out_use(ks_store *s, const char *token, cs_time now, ks_opt_out *out, cs_error *e)
{
    const ks_actor who = {out->mail, "link", NULL};
    uint64_t generation = 0;
    if (ks_opt_out_look(s, token, out, e) != 0) {
        return -1;
    }
    return out->listed ? ks_unsubscribe(s, out->alias, out->mail, false, &who, now, &generation, e) : 0;
}
