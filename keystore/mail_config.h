/* SPDX-License-Identifier: Apache-2.0 */
/* mail_config.h: setters of the block mail { }; their rows stand in config.c. */
#ifndef KS_MAIL_CONFIG_H
#define KS_MAIL_CONFIG_H

#include "keystore/config.h"

void ks_set_mail(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_server(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_from(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_user(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_ca(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_starttls(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_timeout(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);

#endif
