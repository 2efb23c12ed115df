/* SPDX-License-Identifier: Apache-2.0 */
/* archive_order.c: see archive_order.h. */
#include "cli/archive_order.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/walk.h"
#include "base/text.h"

static int no_memory(struct cli_context *c)
{
    return cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

int cli_order_wrong(struct cli_context *c, const char *option, const char *why)
{
    return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--%s: %s", option, why);
}

static int take_text(struct cli_context *c, const char *option, char **out)
{
    const char *text = cli_option(c, option);
    if (text == NULL) {
        return 0;
    }
    *out = strdup(text);
    return *out != NULL ? 0 : no_memory(c);
}

int cli_order_size(struct cli_context *c, const char *option, uint64_t *out)
{
    const char *text = cli_option(c, option);
    return text == NULL || cs_size_parse(text, out) == 0 ? 0 : cli_order_wrong(c, option, "not a size as 64M");
}

static void take_number(const struct cli_context *c, const char *option, uint64_t *out)
{
    int64_t number = 0;
    if (cli_option_number(c, option, &number)) {
        *out = (uint64_t)number;
    }
}

/* "I/N" */
static int take_shard(struct cli_context *c, struct archive_order *o)
{
    const char *text = cli_option(c, "shard");
    char *end = NULL;
    if (text == NULL) {
        return 0;
    }
    unsigned long i = strtoul(text, &end, 10);
    unsigned long n = *end == '/' && text[0] >= '0' && text[0] <= '9' && end[1] >= '0' && end[1] <= '9'
                          ? strtoul(end + 1, &end, 10)
                          : 0;
    if (*end != '\0' || n == 0 || n > 100000 || i >= n) {
        return cli_order_wrong(c, "shard", "I/N, where I counts from 0 to N-1");
    }
    o->shard = (unsigned)i;
    o->shards = (unsigned)n;
    return 0;
}

/* 64 digits, as they are compared. */
static int take_signer(struct cli_context *c, struct archive_order *o)
{
    uint8_t key[32];
    char hex[65];
    const char *text = cli_option(c, "bundle-key");
    if (text == NULL) {
        return 0;
    }
    if (o->bundle == NULL || strlen(text) != 64 || cs_unhex(text, key, sizeof key) != 0) {
        return cli_order_wrong(c, "bundle-key", "64 hexadecimal digits, beside --bundle");
    }
    o->bundle_key = strdup(cs_hex(key, sizeof key, hex));
    return o->bundle_key != NULL ? 0 : no_memory(c);
}

static int take_limits(struct cli_context *c, struct archive_order *o)
{
    uint64_t nesting = o->max_nesting;
    take_number(c, "max-nesting", &nesting);
    if (nesting == 0 || nesting > 8) {
        return cli_order_wrong(c, "max-nesting", "1 to 8");
    }
    o->max_nesting = (unsigned)nesting;
    take_number(c, "max-ratio", &o->max_ratio);
    take_number(c, "max-members", &o->max_members);
    (void)cli_option_duration(c, "timeout-per-item", &o->item_ms);
    o->has_expect_count = cli_given(c, "expect-count");
    take_number(c, "expect-count", &o->expect_count);
    return o->item_ms < 10 ? cli_order_wrong(c, "timeout-per-item", "at least 10ms")
                           : cli_order_size(c, "max-member", &o->max_member);
}

static int take_paths(struct cli_context *c, struct archive_order *o)
{
    const char *text = NULL;
    int rc = 0;
    for (int i = 0; i < c->argc && rc == 0; i++) {
        rc = archive_texts_add(&o->path, c->argv[i]);
    }
    for (size_t i = 0; rc == 0 && (text = cli_option_nth(c, "received-from", i)) != NULL; i++) {
        rc = archive_texts_add(&o->received, text);
    }
    for (size_t i = 0; rc == 0 && (text = cli_option_nth(c, "timestamp-anchors", i)) != NULL; i++) {
        rc = archive_texts_add(&o->timestamp_anchors, text);
    }
    o->directory = getcwd(NULL, 0);
    if (rc != 0 || o->directory == NULL) {
        return no_memory(c);
    }
    struct archive_walk *w = NULL; /* operands that cannot be walked are told before anything is made */
    rc = archive_walk_new(&w, &o->path, o->directory, &c->error);
    archive_walk_free(w);
    return rc;
}

int cli_order_take(struct cli_context *c, struct archive_order *o)
{
    const char *encoding = cli_option(c, "ndjson-encoding");
    const char *partner = cli_option(c, "partner");
    *o = (struct archive_order)ARCHIVE_ORDER_INIT;
    (void)cli_option_time(c, "as-of", &o->as_of);
    o->trust_claimed = cli_given(c, "trust-claimed");
    o->ndjson_text = encoding != NULL && strcmp(encoding, "text") == 0;
    if (partner != NULL && strcmp(partner, "auto") != 0 && take_text(c, "partner", &o->partner) != 0) {
        return -1;
    }
    if (o->as_of != 0 && cli_given(c, "received-from")) {
        return cli_order_wrong(c, "as-of", "one instant for all and --received-from exclude each other");
    }
    return take_text(c, "policy", &o->policy) == 0 && take_text(c, "received-format", &o->received_format) == 0 &&
                   take_text(c, "received-zone", &o->received_zone) == 0 &&
                   take_text(c, "ndjson-field", &o->ndjson_field) == 0 &&
                   take_text(c, "expect-manifest", &o->expect_manifest) == 0 && take_text(c, "chain", &o->chain) == 0 &&
                   take_text(c, "bundle", &o->bundle) == 0 && take_signer(c, o) == 0 && take_shard(c, o) == 0 &&
                   take_limits(c, o) == 0 && take_paths(c, o) == 0
               ? 0
               : -1;
}
