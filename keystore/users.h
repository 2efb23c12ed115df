/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users.h: user names and their passwords for UsernameTokens: those that a partner's messages may bear, and those that
 * our own messages present. A password stands in a file of its own, read when the configuration is taken into use and
 * wiped with it.
 */
#ifndef KS_USERS_H
#define KS_USERS_H

#include "keystore/config.h"

#define KS_SECRET 256 /* octets of a password, the NUL included */

/** One `user NAME { }`. */
struct ks_user {
    char name[KS_WORD];       /**< here */
    char said[256];           /**< in messages */
    char file[1024];          /**< whose first line is the password */
    char password[KS_SECRET]; /**< "" not read yet */
    const struct cs_conf_node *node, *file_node;
};

/** The user of that name, NULL: none. Borrowed from c. */
const struct ks_user *ks_config_user(const struct ks_config *c, const char *name);
/** Read every password that is not read yet, and look whether each name that a partner's `users` holds is there.
 *  @return 0; -1: told in the report */
int ks_users_read(struct ks_config *c, struct cs_conf_report *report) CS_MUST_CHECK;
/** The partner with that name if messages of its may bear user names, else NULL. Borrowed from c. */
const struct ks_partner_config *ks_config_users(const struct ks_config *c, const char *partner);
/** The password of who calls itself said in a message of p (ks_users_read has been called). @return 1; 0: nobody does
 */
int ks_users_password(const struct ks_partner_config *p, const char *said, char out[KS_SECRET]);
/** Free what c owns of them; passwords are wiped. */
void ks_users_free(struct ks_config *c);

/* setters of the rows in config.c */
void ks_set_user(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_user_name(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_user_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_partner_users(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);

#endif
