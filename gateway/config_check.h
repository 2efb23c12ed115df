/* SPDX-License-Identifier: Apache-2.0 */
/* config_check.h: the second pass over a configuration, shared by its files: what is checked, and how errors are told.
 */
#ifndef GW_CONFIG_CHECK_H
#define GW_CONFIG_CHECK_H

#include "gateway/config.h"

struct check {
    const struct gw_config *config;
    const struct gw_settings *settings;
    const ks_snapshot *snapshot; /**< NULL: the keystore is not looked at */
    struct cs_conf_report *report;
    unsigned errors;
};

/* clang-format off */
#define AT(where) (&(const struct cs_conf_node){.file = (where).file, .line = (where).line, .column = (where).column})
/* clang-format on */
#define BAD(ck, where, ...)  ((ck)->errors++, cs_conf_error((ck)->report, AT(where), -1, __VA_ARGS__))
#define WARN(ck, where, ...) cs_conf_warn((ck)->report, AT(where), -1, __VA_ARGS__)

/** config.c: the keystore has that alias, of that role. @return false: told, or the keystore is not looked at */
bool check_alias(struct check *ck, const struct gw_where *at, const char *alias, enum ks_role wanted);
/** config_tls.c: `tls` blocks and the listeners that name them. */
void check_tls(struct check *ck);
/** config_tls.c: who may use the route, and how it reaches its upstreams. */
void check_route_tls(struct check *ck, const struct gw_route *r);

/* config_crypt.c */
/** decrypt and encrypt of one block. */
void check_crypt(struct check *ck, const struct gw_route *r, const struct gw_actions *a);
void gw_crypt_clear(struct gw_crypt *c);

#endif
