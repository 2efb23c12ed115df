/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c: the result record as JSON members; callers add what only they know (loc, partner, us). */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "wssec/wssec.h"

static void write_certificate(cs_json *j, const char *key, const struct wssec_certificate *c)
{
    char entry[80];
    (void)snprintf(entry, sizeof entry, "%s#%u", c->alias, c->ordinal);
    cs_json_object(j, key);
    cs_json_str(j, "alias", c->alias);
    cs_json_str(j, "entry", entry);
    cs_json_hex(j, "sha256", c->sha256, sizeof c->sha256);
    cs_json_hex(j, "spki_sha256", c->spki_sha256, sizeof c->spki_sha256);
    cs_json_str(j, "state", wssec_state_word(c->state));
    cs_json_time(j, "not_after", c->not_after);
    cs_json_time(j, "process_stop", c->process_stop);
    cs_json_object_end(j);
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void write_signature(cs_json *j, const struct wssec_verdict *v)
{
    if (v->algorithm[0] == '\0' && v->n_reference == 0) {
        cs_json_null(j, "signature");
        return;
    }
    cs_json_object(j, "signature");
    cs_json_str(j, "algorithm", or_null(v->algorithm));
    cs_json_str(j, "canonicalization", or_null(v->canonicalization));
    cs_json_str(j, "key_reference", wssec_keyref_word(v->key_reference));
    cs_json_array(j, "references");
    for (unsigned i = 0; i < v->n_reference; i++) {
        const struct wssec_reference_result *r = &v->reference[i];
        cs_json_object(j, NULL);
        cs_json_str(j, "uri", r->uri);
        cs_json_str(j, "digest", r->digest);
        if (r->judged) {
            cs_json_bool(j, "ok", r->ok);
        } else {
            cs_json_null(j, "ok");
        }
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
    cs_json_object_end(j);
}

char *wssec_verdict_json(const struct wssec_verdict *v)
{
    cs_buf out = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &out);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "verdict", wssec_result_word(v->verdict));
    cs_json_str(&j, "reason", wssec_reason_code(v->reason));
    cs_json_str(&j, "detail", or_null(v->detail));
    cs_json_time(&j, "t", v->t);
    cs_json_str(&j, "time_source", wssec_time_source_word(v->time_source));
    cs_json_time(&j, "claimed", v->claimed);
    if (v->has_certificate) {
        write_certificate(&j, "certificate", &v->certificate);
    } else {
        cs_json_null(&j, "certificate");
    }
    cs_json_array(&j, "also_matches");
    for (unsigned i = 0; i < v->n_also; i++) {
        write_certificate(&j, NULL, &v->also_matches[i]);
    }
    cs_json_array_end(&j);
    write_signature(&j, v);
    cs_json_array(&j, "covers");
    for (unsigned i = 0; i < v->n_covers; i++) {
        cs_json_str(&j, NULL, v->covers[i]);
    }
    cs_json_array_end(&j);
    if (v->has_decrypted_with) {
        char entry[80];
        (void)snprintf(entry, sizeof entry, "%s#%u", v->decrypted_with.alias, v->decrypted_with.ordinal);
        cs_json_str(&j, "decrypted_with", entry);
    } else {
        cs_json_null(&j, "decrypted_with");
    }
    if (v->user[0] != '\0') {
        cs_json_str(&j, "user", v->user);
    }
    cs_json_int(&j, "generation", (int64_t)v->generation);
    cs_json_str(&j, "policy", v->policy);
    cs_json_array(&j, "notes");
    for (unsigned i = 0; i < v->n_notes; i++) {
        cs_json_str(&j, NULL, v->notes[i]);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    size_t n = 0;
    char *text = cs_buf_take(&out, &n);
    if (text != NULL) { /* members only: the braces go */
        memmove(text, text + 1, n - 2);
        text[n - 2] = '\0';
    }
    return text;
}
