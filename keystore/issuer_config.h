/* SPDX-License-Identifier: Apache-2.0 */
/* issuer_config.h: setters of the block issuer NAME { }; their rows stand in config.c. */
#ifndef KS_ISSUER_CONFIG_H
#define KS_ISSUER_CONFIG_H

#include "keystore/config.h"
#include "keystore/issuers.h"
#include "keystore/operators.h"

ks_setter ks_set_issuer_block, ks_set_issuer_cmp, ks_set_issuer_est, ks_set_issuer_exec, ks_set_issuer_user,
    ks_set_issuer_password, ks_set_issuer_ca, ks_set_issuer_timeout;

/** The issuers of a configuration; borrowed from c. */
ks_issuers ks_config_issuers(const struct ks_config *c);
/** Free what the setters above made. */
void ks_issuers_free(struct ks_config *c);

#endif
