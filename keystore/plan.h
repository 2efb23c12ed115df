/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h: a change as data: what was asked for, and what it found. The hash over both is what a second person agrees
 * to: when anything of it differs later - another option, an entry that changed in between - the hash differs, and the
 * agreement does not fit any more.
 *
 * A plan is filled in a fixed order by the verb that it describes; its canonical text is that order, so the same
 * request on the same store has the same text and hash in every process. No store, no clock.
 */
#ifndef KS_PLAN_H
#define KS_PLAN_H

#include "keystore/rules.h"

#define KS_PLAN_FIELDS 32  /* of one plan */
#define KS_PLAN_VALUE  320 /* octets of one value, with its end */
#define KS_PLAN_TEXT   (KS_PLAN_FIELDS * (2 * KS_PLAN_VALUE + 40))

/** Asked: an argument of the request; found: what the store held when it was judged. */
enum ks_plan_kind { KS_PLAN_ASKED, KS_PLAN_FOUND };

struct ks_plan {
    char verb[24];             /**< word of the command: "remove", "export", "rekey" … */
    char object[KS_WORD + 12]; /**< "acme-sign#1", an alias, or "" for the whole store */
    struct ks_plan_field {
        enum ks_plan_kind kind;
        char name[24];
        char value[KS_PLAN_VALUE];
    } field[KS_PLAN_FIELDS];
    size_t n;
    bool failed; /**< something did not fit: the plan has no hash */
};

/** Begin a plan; everything before is forgotten. */
void ks_plan_begin(struct ks_plan *p, const char *verb, const char *object);
/** Append a field. NULL value: nothing is appended (an option not given). Too long, too many: the plan is failed. */
void ks_plan_put(struct ks_plan *p, enum ks_plan_kind kind, const char *name, const char *value);
void ks_plan_put_number(struct ks_plan *p, enum ks_plan_kind kind, const char *name, int64_t value);
void ks_plan_put_time(struct ks_plan *p, enum ks_plan_kind kind, const char *name, cs_time t); /**< 0: nothing */
void ks_plan_put_hex(struct ks_plan *p, enum ks_plan_kind kind, const char *name, const uint8_t *octets, size_t n);
/** Found: number, certificate, stored state and version of an entry that the change touches. */
void ks_plan_put_entry(struct ks_plan *p, const ks_info *info);
/** Found: the steps, as "T5 T9 acme-sign#1". */
void ks_plan_put_steps(struct ks_plan *p, const char *alias, const struct ks_rule_plan *steps);
/** The value of the first field of that kind and name, or NULL. Borrowed from p. */
const char *ks_plan_get(const struct ks_plan *p, enum ks_plan_kind kind, const char *name);

/** Canonical text, one line per field; size at least KS_PLAN_TEXT. @return 0, or -1: the plan is failed */
int ks_plan_write(const struct ks_plan *p, char *out, size_t size) CS_MUST_CHECK;
/** Read a canonical text. @return 0, or -1: it is none */
int ks_plan_read(const char *text, struct ks_plan *p) CS_MUST_CHECK;
/** SHA-256 over the canonical text. @return 0, or -1: the plan is failed */
int ks_plan_hash(const struct ks_plan *p, uint8_t out[32]) CS_MUST_CHECK;

#endif
