/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_record.c: one entry as it is shown: the JSON record that all keystore commands share, a table, a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/keystore.h"

#define EXPIRES_SOON (30 * CS_DAY) /* from here on a list warns of an entry in use */

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

void cli_refusal_json(cs_json *j, const ks_refusal *r, const char *action)
{
    char guard[8];
    snprintf(guard, sizeof guard, "G%d", (int)r->guard);
    cs_json_object(j, NULL);
    if (action != NULL) {
        cs_json_str(j, "action", action);
    }
    cs_json_str(j, "guard", guard);
    cs_json_str(j, "reason", ks_guard_word(r->guard));
    cs_json_time(j, "allowed_from", r->allowed_from);
    cs_json_str(j, "text", r->text);
    cs_json_object_end(j);
}

static void actions_json(cs_json *j, const ks_action *action, int n)
{
    cs_json_array(j, "possible_actions");
    for (int i = 0; i < n; i++) {
        if (action[i].possible) {
            cs_json_str(j, NULL, ks_verb_word(action[i].verb));
        }
    }
    cs_json_array_end(j);
    cs_json_array(j, "refused_actions");
    for (int i = 0; i < n; i++) {
        if (!action[i].possible && action[i].refusal.guard != 0) {
            cli_refusal_json(j, &action[i].refusal, ks_verb_word(action[i].verb));
        }
    }
    cs_json_array_end(j);
}

static void planned_json(cs_json *j, const ks_info *i)
{
    cs_json_array(j, "scheduled");
    for (size_t k = 0; k < i->n_planned; k++) {
        cs_json_object(j, NULL);
        cs_json_str(j, "action", ks_verb_word(i->planned[k].verb));
        cs_json_time(j, "at", i->planned[k].at);
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
}

void cli_record_json(cs_json *j, const ks_info *i, const ks_action *action, int n_action)
{
    char entry[KS_WORD + 12];
    cli_entry_text(i, entry, sizeof entry);
    cs_json_str(j, "alias", i->alias);
    cs_json_str(j, "entry", entry);
    cs_json_str(j, "role", ks_role_word(i->role));
    cs_json_str(j, "partner", i->partner[0] != '\0' ? i->partner : NULL);
    cs_json_str(j, "state", ks_state_word(i->state));
    cs_json_time(j, "not_before", i->not_before);
    cs_json_time(j, "not_after", i->not_after);
    cs_json_time(j, "process_stop", i->process_stop);
    cs_json_time(j, "trash_until", i->trash_until);
    planned_json(j, i);
    if (i->share != 0) {
        cs_json_int(j, "share", i->share);
    }
    cs_json_time(j, "created_at", i->created_at);
    cs_json_time(j, "activated_at", i->activated_at);
    cs_json_time(j, "exchanged_at", i->exchanged_at);
    cs_json_time(j, "last_use", i->last_use);
    cs_json_int(j, "uses", i->uses > INT64_MAX ? INT64_MAX : (int64_t)i->uses);
    cs_json_hex(j, "sha256", i->sha256, sizeof i->sha256);
    cs_json_hex(j, "spki_sha256", i->spki_sha256, sizeof i->spki_sha256);
    cs_json_str(j, "subject", i->subject);
    cs_json_str(j, "issuer", i->issuer);
    cs_json_str(j, "serial", i->serial);
    cs_json_str(j, "key_algorithm", i->key_algorithm);
    cs_json_int(j, "key_bits", i->key_bits);
    cs_json_bool(j, "private_key", i->has_key);
    cs_json_int(j, "version", i->version > INT64_MAX ? INT64_MAX : (int64_t)i->version);
    actions_json(j, action, n_action);
}

int cli_json_line(struct cli_context *c, cs_buf *b)
{
    if (b->failed) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        return cli_fail(c);
    }
    puts(b->data);
    return CS_EXIT_OK;
}

int cli_record_print(struct cli_context *c, ks_store *s, const ks_info *info)
{
    ks_action action[KS_VERBS];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    int n = ks_actions(s, info, c->now, action, &c->error);
    if (n < 0) {
        return cli_fail(c);
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cli_record_json(&j, info, action, n);
    int rc = cli_auto_member(c, s, info, &j) == 0 ? CS_EXIT_OK : cli_fail(c);
    cs_json_object_end(&j);
    if (rc == CS_EXIT_OK) {
        rc = cli_json_line(c, &b);
    }
    cs_buf_free(&b);
    return rc;
}

/* ---- words for people ------------------------------------------------------------------------------------------- */

void cli_entry_text(const ks_info *i, char *out, size_t size)
{
    snprintf(out, size, "%s#%u", i->alias, i->n);
}

const char *cli_date(cs_time t, char out[CS_TIME_TEXT])
{
    cs_time_format(t, out);
    out[strcspn(out, "T")] = '\0';
    return out;
}

const char *cli_time_local(cs_time t, char *out, size_t size)
{
    char utc[CS_TIME_TEXT];
    char local[48] = "";
    struct tm tm;
    time_t seconds = (time_t)t;
    cs_time_format(t, utc);
    if (localtime_r(&seconds, &tm) != NULL && tm.tm_gmtoff != 0 &&
        strftime(local, sizeof local, " (%Y-%m-%d %H:%M %Z)", &tm) == 0) {
        local[0] = '\0';
    }
    snprintf(out, size, "%s%s", utc, local);
    return out;
}

const char *cli_span(int64_t seconds, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } unit[] = {{CS_DAY, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i + 1 < sizeof unit / sizeof unit[0] && seconds < unit[i].seconds) {
        i++;
    }
    snprintf(out, size, "%lld %s", (long long)(seconds / unit[i].seconds), unit[i].unit);
    return out;
}

static bool in_use(const ks_info *i)
{
    return i->state == KS_ACTIVE || i->state == KS_PRE_ACTIVE;
}

static void left_text(const ks_info *i, cs_time at, char *out, size_t size)
{
    char text[32];
    if (at > i->not_after) {
        snprintf(out, size, "expired%s", in_use(i) ? "!" : "");
        return;
    }
    cli_span(i->not_after - at, text, sizeof text);
    snprintf(out, size, "%s%s", text, in_use(i) && i->not_after - at < EXPIRES_SOON ? "!" : "");
}

static void use_text(const ks_info *i, cs_time at, char *out, size_t size)
{
    char text[32];
    if (i->last_use == 0) {
        snprintf(out, size, "-");
    } else {
        snprintf(out, size, "%s ago", cli_span(at > i->last_use ? at - i->last_use : 0, text, sizeof text));
    }
}

/* Its state, and what will be done with it next: "active, deactivate 2026-08-01". */
static void state_text(const ks_info *i, char *out, size_t size)
{
    char date[CS_TIME_TEXT];
    if (i->n_planned == 0 && i->share != 0) {
        snprintf(out, size, "%s, signs %u %%", ks_state_word(i->state), i->share);
        return;
    }
    if (i->n_planned == 0) {
        snprintf(out, size, "%s", ks_state_word(i->state));
        return;
    }
    snprintf(out, size, "%s, %s %s%s", ks_state_word(i->state), ks_verb_word(i->planned[0].verb),
             cli_date(i->planned[0].at, date), i->n_planned > 1 ? " …" : "");
}

/* What a deactivated entry is still good for, or since when it is no longer. */
static void until_text(const ks_info *i, cs_time at, char *out, size_t size)
{
    char date[CS_TIME_TEXT];
    if (i->process_stop == 0 || (i->state != KS_DEACTIVATED && i->state != KS_ARCHIVED)) {
        snprintf(out, size, "-");
    } else if (at >= i->process_stop) {
        snprintf(out, size, "ended %s", cli_date(i->process_stop, date));
    } else {
        snprintf(out, size, "%s (%lld d after exchange)", cli_date(i->process_stop, date),
                 (long long)((i->process_stop - i->exchanged_at) / CS_DAY));
    }
}

/* ---- table ------------------------------------------------------------------------------------------------------ */

enum { COLUMNS = 10, CELL = 96 };
static const char *const heading[COLUMNS] = {"ENTRY", "ROLE",    "PARTNER", "STATE",    "NOT AFTER",
                                             "LEFT",  "SHA-256", "USES",    "LAST USE", "ACCEPTED UNTIL"};
static const bool to_the_right[COLUMNS] = {[5] = true, [7] = true};

static void fill_row(const ks_info *i, cs_time at, char cell[COLUMNS][CELL])
{
    char date[CS_TIME_TEXT];
    char sha256[2 * sizeof i->sha256 + 1];
    cli_entry_text(i, cell[0], CELL);
    cs_copy(cell[1], CELL, ks_role_word(i->role));
    cs_copy(cell[2], CELL, i->partner[0] != '\0' ? i->partner : "-");
    state_text(i, cell[3], CELL);
    cs_copy(cell[4], CELL, cli_date(i->not_after, date));
    left_text(i, at, cell[5], CELL);
    cs_hex(i->sha256, sizeof i->sha256, sha256);
    snprintf(cell[6], CELL, "%.8s…", sha256);
    snprintf(cell[7], CELL, "%llu", (unsigned long long)i->uses);
    use_text(i, at, cell[8], CELL);
    until_text(i, at, cell[9], CELL);
}

/* Columns that a cell takes on a terminal: UTF-8 continuation octets take none. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_row(const char *const cell[COLUMNS], const int width[COLUMNS])
{
    for (int k = 0; k < COLUMNS; k++) {
        int pad = width[k] - columns_of(cell[k]);
        if (k == COLUMNS - 1) {
            printf("%s\n", cell[k]);
        } else if (to_the_right[k]) {
            printf("%*s%s  ", pad, "", cell[k]);
        } else {
            printf("%s%*s  ", cell[k], pad, "");
        }
    }
}

void cli_table_print(const ks_list *list, cs_time at)
{
    int width[COLUMNS];
    char row[COLUMNS][CELL];
    const char *cell[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) {
        width[k] = columns_of(heading[k]);
        cell[k] = row[k];
    }
    for (size_t i = 0; i < list->n; i++) {
        fill_row(&list->info[i], at, row);
        for (int k = 0; k < COLUMNS; k++) {
            int n = columns_of(row[k]);
            width[k] = n > width[k] ? n : width[k];
        }
    }
    print_row(heading, width);
    for (size_t i = 0; i < list->n; i++) {
        fill_row(&list->info[i], at, row);
        print_row(cell, width);
    }
}

/* ---- page ------------------------------------------------------------------------------------------------------- */

static void print_life(const ks_info *i, cs_time now)
{
    char text[CELL];
    char when[80];
    use_text(i, now, text, sizeof text);
    printf("  used %llu times, last %s", (unsigned long long)i->uses, i->last_use != 0 ? text : "never");
    if (i->activated_at != 0) {
        printf("   active since %s", cli_time_local(i->activated_at, when, sizeof when));
    }
    putchar('\n');
    if (i->exchanged_at != 0) {
        printf("  exchanged %s", cli_time_local(i->exchanged_at, when, sizeof when));
        printf("   accepted until %s\n",
               i->process_stop != 0 ? cli_time_local(i->process_stop, when, sizeof when) : "-");
    }
}

static void print_planned(const ks_info *i)
{
    char when[80];
    char entry[KS_WORD + 12];
    cli_entry_text(i, entry, sizeof entry);
    if (i->share != 0) {
        printf(
            "  signs %u %% of the requests before it is activated   (taken back by: countersign keystore activate %s --canary 0)\n",
            i->share, entry);
    }
    for (size_t k = 0; k < i->n_planned; k++) {
        const char *verb = ks_verb_word(i->planned[k].verb);
        printf("  scheduled: %s at %s   (taken back by: countersign keystore %s %s --cancel)\n", verb,
               cli_time_local(i->planned[k].at, when, sizeof when), verb, entry);
    }
}

static void print_actions(const ks_action *action, int n)
{
    printf("  possible: ");
    for (int i = 0; i < n; i++) {
        if (action[i].possible) {
            printf("%s, ", ks_verb_word(action[i].verb));
        }
    }
    puts("export");
    for (int i = 0; i < n; i++) {
        const ks_refusal *r = &action[i].refusal;
        if (!action[i].possible && r->guard != 0) {
            printf("  refused now: %s (G%d %s: %s)\n", ks_verb_word(action[i].verb), (int)r->guard,
                   ks_guard_word(r->guard), r->text);
        }
    }
}

static int print_page(struct cli_context *c, ks_store *s, const ks_info *i, const ks_evidence *where)
{
    ks_action action[KS_VERBS];
    char entry[KS_WORD + 12];
    char left[32];
    char from[CS_TIME_TEXT];
    char to[CS_TIME_TEXT];
    char hex[2 * sizeof i->sha256 + 1];
    char algorithm[KS_ALGORITHM];
    int n = ks_actions(s, i, c->now, action, &c->error);
    if (n < 0 || ks_signature_algorithm(s, i->alias, i->n, algorithm, &c->error) != 0) {
        return cli_fail(c);
    }
    cli_entry_text(i, entry, sizeof entry);
    printf("%s  %s  %s  %s", entry, ks_role_word(i->role), i->partner[0] != '\0' ? i->partner : "-",
           ks_state_word(i->state));
    if (in_use(i) && c->now > i->not_after) {
        printf("   ! EXPIRED, cannot be extended; what next: countersign keystore expiring");
    } else if (in_use(i) && i->not_after - c->now < EXPIRES_SOON) {
        printf("   ! EXPIRES IN %s, cannot be extended; what next: countersign keystore expiring",
               cli_span(i->not_after - c->now, left, sizeof left));
    }
    printf("\n  subject %s   issuer %s   serial %s\n", i->subject, i->issuer, i->serial);
    printf("  valid %s to %s   %s %d bits, signed by %s%s\n", cs_time_format(i->not_before, from),
           cs_time_format(i->not_after, to), i->key_algorithm, i->key_bits, algorithm,
           i->has_key ? "   with its private key" : "");
    printf("  sha256 %s\n", cs_hex(i->sha256, sizeof i->sha256, hex));
    printf("  spki   %s\n", cs_hex(i->spki_sha256, sizeof i->spki_sha256, hex));
    print_life(i, c->now);
    print_planned(i);
    cli_where_print(where);
    print_actions(action, n);
    return CS_EXIT_OK;
}

int cli_entry_print(struct cli_context *c, ks_store *s, const ks_info *i)
{
    ks_evidence where;
    int rc = ks_where_used(s, i, &where, &c->error) == 0 ? print_page(c, s, i, &where) : cli_fail(c);
    ks_evidence_free(&where);
    return rc;
}
