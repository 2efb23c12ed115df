/* SPDX-License-Identifier: Apache-2.0 */
/* mail_config.h: setters of the blocks mail { } and webhook { }; their rows stand in config.c. */
#ifndef KS_MAIL_CONFIG_H
#define KS_MAIL_CONFIG_H

#include "keystore/operators.h"

ks_setter ks_set_mail, ks_set_mail_server, ks_set_mail_from, ks_set_mail_user, ks_set_mail_password, ks_set_mail_ca,
    ks_set_mail_starttls, ks_set_mail_timeout, ks_set_mail_interrupted;
ks_setter ks_set_hook, ks_set_hook_url, ks_set_hook_secret, ks_set_hook_ca, ks_set_hook_timeout;

#endif
