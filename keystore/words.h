/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h: what a role means: how many of its entries are active, what they may be used for in which state, how long
 * they are kept. Tables only; who decides with them is rules.c.
 */
#ifndef KS_WORDS_H
#define KS_WORDS_H

#include "keystore/keystore.h"

/** How long a deactivated entry goes on processing. */
enum ks_floor {
    KS_FLOOR_NONE,     /**< it ends with the exchange */
    KS_FLOOR_DAY,      /**< 24 hours */
    KS_FLOOR_RETENTION /**< max(90 days, retention, guaranteed delivery) */
};

#define KS_CAN(c) (1U << (c))

struct ks_role_row {
    const char *word;
    unsigned max_active;   /**< 1: activating one exchanges the other */
    bool per_key_type;     /**< the limit counts per key algorithm (tls-server) */
    bool own_key;          /**< entries carry a private key of ours */
    unsigned max_keyed;    /**< keyed entries at most, 0: any number */
    unsigned while_active; /**< set of KS_CAN(capability) */
    unsigned while_deactivated;
    enum ks_floor floor;
    int min_rsa, warn_rsa, min_ec; /**< bits; below min refused, below warn warned of */
    const char *help;
};

/** Never NULL for a role below KS_ROLES. Static. */
const struct ks_role_row *ks_role_row(enum ks_role r);
/** What an entry of this role may be used for in this state: a set of KS_CAN(). */
unsigned ks_capabilities(enum ks_role r, enum ks_state s);

#endif
