/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_sender.c: the senders of a roll-over. A certificate that many partners trust is exchanged when each of them
 * said for himself that he is ready; what one says is a row of its own, "4/acme" for step 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/addressee.h"
#include "keystore/rollover.h"

/* ---- who they are ---------------------------------------------------------------------------------------------- */

struct sender {
    char partner[KS_WORD];
    bool here, elsewhere; /* a route that uses the slot, or another one, names the partner */
};

struct gathering {
    const struct ks_rollover *r;
    struct sender one[KS_ROLL_SENDERS];
    size_t n;
};

static int take_contact(void *ctx, const ks_addressee *a, cs_error *e)
{
    struct gathering *g = ctx;
    (void)e;
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->one[i].partner, a->partner) == 0) {
            return 0;
        }
    }
    if (a->partner[0] != '\0' && g->n < KS_ROLL_SENDERS) {
        cs_copy(g->one[g->n++].partner, KS_WORD, a->partner);
    }
    return 0;
}

static int take_use(void *ctx, const char *node, const ks_node_use *use, cs_error *e)
{
    struct gathering *g = ctx;
    bool ours = false;
    (void)node;
    (void)e;
    for (size_t i = 0; i < g->r->n_route; i++) {
        ours = ours || strcmp(g->r->route[i], use->route) == 0;
    }
    for (size_t i = 0; use->partner != NULL && i < g->n; i++) {
        if (strcmp(g->one[i].partner, use->partner) == 0) {
            g->one[i].here = g->one[i].here || ours;
            g->one[i].elsewhere = g->one[i].elsewhere || !ours;
        }
    }
    return 0;
}

static bool asks_senders(const struct ks_runbook *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->step[i].each_sender) {
            return true;
        }
    }
    return false;
}

int ks_rollover_senders(ks_store *s, struct ks_rollover *r, cs_error *e)
{
    struct gathering g = {.r = r};
    const char *role = ks_part_word(KS_SENDER_ADMIN);
    bool one = strstr(r->row.settings, "partner=") != NULL; /* whose contacts are told was said at the start */
    r->n_sender = 0;
    if (!asks_senders(r->runbook)) {
        return 0;
    }
    if (ks_addressees_each(s, role, one ? r->partner : KS_EVERY_PARTNER, take_contact, &g, e) != 0 ||
        s->driver->node_uses_each(s->b, take_use, &g, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < g.n; i++) {
        if (one || g.one[i].here || !g.one[i].elsewhere) {
            cs_copy(r->sender[r->n_sender++], KS_WORD, g.one[i].partner);
        }
    }
    return 0;
}

/* ---- what they said -------------------------------------------------------------------------------------------- */

size_t ks_rollover_place(const struct ks_rollover *r, const char *reference, const char **sender)
{
    char number[KS_STEP_NAME];
    const char *slash = strchr(reference, '/');
    size_t n = slash != NULL ? (size_t)(slash - reference) : strlen(reference);
    *sender = slash != NULL ? slash + 1 : "";
    if (n >= sizeof number) {
        return r->runbook->n;
    }
    memcpy(number, reference, n);
    number[n] = '\0';
    return ks_runbook_find(r->runbook, number);
}

void ks_rollover_reference(const struct ks_rollover *r, size_t place, const char *sender, char out[KS_ROLL_REFERENCE])
{
    snprintf(out, KS_ROLL_REFERENCE, "%s/%s%s%s", r->name, r->runbook->step[place].n, sender[0] != '\0' ? "/" : "",
             sender);
}

struct ks_roll_word *ks_rollover_word(const struct ks_rollover *r, size_t place, const char *sender)
{
    for (size_t i = 0; i < r->n_word; i++) {
        if (r->word[i].place == place && strcmp(r->word[i].sender, sender) == 0) {
            return &r->word[i];
        }
    }
    return NULL;
}

int ks_rollover_add_word(struct ks_rollover *r, size_t place, const char *sender, const char *by, cs_time at,
                         cs_error *e)
{
    struct ks_roll_word *grown = reallocarray(r->word, r->n_word + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    r->word = grown;
    struct ks_roll_word *w = &grown[r->n_word++];
    *w = (struct ks_roll_word){.place = place, .at = at};
    cs_copy(w->sender, sizeof w->sender, sender);
    cs_copy(w->by, sizeof w->by, by);
    return 0;
}

size_t ks_rollover_unsaid(const struct ks_rollover *r, size_t place, char *names, size_t size)
{
    size_t n = 0;
    size_t used = 0;
    names[0] = '\0';
    for (size_t i = 0; i < r->n_sender; i++) {
        if (ks_rollover_word(r, place, r->sender[i]) == NULL) {
            n++;
            int len = used < size ? snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", r->sender[i]) : 0;
            used += len > 0 ? (size_t)len : 0;
        }
    }
    return n;
}

size_t ks_rollover_unready(const struct ks_rollover *r, char *names, size_t size)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        /* what is to be done before the exchange; behind it senders are only waited for */
        bool asked = r->runbook->step[i].kind == KS_STEP_DO && ks_rollover_by_sender(r, i);
        if (asked && r->judged[i].state != KS_STEP_DONE && r->judged[i].state != KS_STEP_SKIPPED) {
            return ks_rollover_unsaid(r, i, names, size);
        }
    }
    names[0] = '\0';
    return 0;
}

size_t ks_rollover_denied_named(const struct ks_rollover *r)
{
    bool back = r->has_old && r->old_info.state == KS_DEACTIVATED && r->has_new && r->new_info.state == KS_ACTIVE;
    size_t n = 0;
    while (back && n < r->denied.n && r->denied.row[n].who[0] != '\0') {
        n++;
    }
    return n;
}

bool ks_rollover_by_sender(const struct ks_rollover *r, size_t place)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    return step->each_sender && step->kind != KS_STEP_INFORM && r->n_sender > 0;
}
