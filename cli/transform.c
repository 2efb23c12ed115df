/* SPDX-License-Identifier: Apache-2.0 */
/* transform.c: see transform.h. */
#include "cli/transform.h"

#include <stdio.h>
#include <string.h>

#define OCTETS_MOST ((size_t)1 << 30) /* as wssec_sign takes */

static int begin(struct cli_transform *t)
{
    struct cli_context *c = t->c;
    char why[128];
    const char *word = NULL;
    for (size_t i = 0; (word = cli_option_nth(c, "parts", i)) != NULL; i++) {
        if (cli_words_add(&t->parts, word) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--parts: an empty word in \"%.128s\"", word);
        }
    }
    if (cli_wssec_init(c) != 0 || cli_open_store(c, true, &t->settings, &t->store) != 0 ||
        ks_snapshot_read(t->store, c->now, &t->snapshot, &c->error) != 0) {
        return -1;
    }
    if (cli_input_open(&t->input, t->file, OCTETS_MOST, why, sizeof why) != 0 ||
        cli_input_map(&t->input, why, sizeof why) != 0) {
        return cs_error_set(&c->error, CS_EXIT_UNREADABLE, wssec_reason_code(WSSEC_INPUT_UNREADABLE), "%.256s: %s",
                            t->file, why);
    }
    t->in = (struct wssec_input){.slice = &t->input.slice, .n_slice = 1, .content_type = cli_option(c, "content-type")};
    t->when = (struct wssec_when){.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW};
    t->worker = wssec_worker_new();
    return t->worker != NULL ? 0 : cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

int cli_transform_run(struct cli_context *c, const char *verb, int (*work)(struct cli_transform *t))
{
    struct cli_transform t = {.c = c, .file = c->argc > 0 ? c->argv[0] : "-", .input = {.fd = -1}};
    if (cli_is_directory(t.file)) {
        return cli_usage(c, "%s is a directory; %s takes one file", t.file, verb);
    }
    int rc = begin(&t) == 0 ? work(&t) : -1;
    wssec_worker_free(t.worker);
    if (t.snapshot != NULL) {
        ks_snapshot_release(t.snapshot);
    }
    ks_close(t.store);
    cli_settings_free(t.settings);
    cli_words_free(&t.parts);
    cli_input_close(&t.input);
    wssec_shutdown();
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

int cli_transform_key_reference(struct cli_transform *t, enum wssec_keyref *kind)
{
    const char *word = cli_option(t->c, "key-reference");
    if (word != NULL && wssec_keyref_parse(word, kind) != 0) {
        return cs_error_set(&t->c->error, CS_EXIT_USAGE, "usage", "--key-reference: \"%.64s\" is not known", word);
    }
    return 0;
}

int cli_transform_slot(struct cli_transform *t, const char *alias, enum ks_role role)
{
    enum ks_role found = role;
    if (!ks_has_slot(t->snapshot, alias, &found)) {
        return cs_error_set(&t->c->error, CS_EXIT_USAGE, "unknown-alias",
                            "no alias \"%.64s\" in the keystore; see: countersign keystore list --role %s", alias,
                            ks_role_word(role));
    }
    if (found != role) {
        return cs_error_set(&t->c->error, CS_EXIT_USAGE, "wrong-role",
                            "alias \"%.64s\" has role %s; needed is one of role %s", alias, ks_role_word(found),
                            ks_role_word(role));
    }
    return 0;
}

int cli_transform_answer(struct cli_transform *t, int rc, const struct wssec_verdict *v, const struct wssec_output *out,
                         const char *done)
{
    struct cli_context *c = t->c;
    if (rc != WSSEC_RC_OK || v->verdict != WSSEC_PASS) {
        bool ours = rc != WSSEC_RC_OK || v->verdict == WSSEC_ERROR;
        return cs_error_set(&c->error, ours ? CS_EXIT_INTERNAL : CS_EXIT_FAIL, wssec_reason_code(v->reason),
                            "%.256s is not %s: %s", t->file, done,
                            v->detail[0] != '\0' ? v->detail : wssec_reason_meaning(v->reason));
    }
    return cli_octets_write(cli_option(c, "output"), out, 0666, &c->error);
}
