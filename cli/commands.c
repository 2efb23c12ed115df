/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c: the list of all commands, in the order in which help shows them. */
#include "cli/command.h"

extern const struct cli_command cli_cmd_gateway;
extern const struct cli_command cli_cmd_status;
extern const struct cli_command cli_cmd_reload;
extern const struct cli_command cli_cmd_drain;
extern const struct cli_command cli_cmd_hold;
extern const struct cli_command cli_cmd_release;
extern const struct cli_command cli_cmd_log_level;
extern const struct cli_command cli_cmd_verify;
extern const struct cli_command cli_cmd_sign;
extern const struct cli_command cli_cmd_encrypt;
extern const struct cli_command cli_cmd_decrypt;
extern const struct cli_command cli_cmd_diagnose;
extern const struct cli_command cli_cmd_archive_verify;
extern const struct cli_command cli_cmd_archive_plan;
extern const struct cli_command cli_cmd_keystore_init;
extern const struct cli_command cli_cmd_keystore_list;
extern const struct cli_command cli_cmd_keystore_show;
extern const struct cli_command cli_cmd_keystore_add;
extern const struct cli_command cli_cmd_keystore_add_crl;
extern const struct cli_command cli_cmd_keystore_generate;
extern const struct cli_command cli_cmd_keystore_csr;
extern const struct cli_command cli_cmd_keystore_import_reply;
extern const struct cli_command cli_cmd_keystore_renew;
extern const struct cli_command cli_cmd_keystore_auto;
extern const struct cli_command cli_cmd_keystore_activate;
extern const struct cli_command cli_cmd_keystore_deactivate;
extern const struct cli_command cli_cmd_keystore_suspend;
extern const struct cli_command cli_cmd_keystore_resume;
extern const struct cli_command cli_cmd_keystore_retire;
extern const struct cli_command cli_cmd_keystore_remove;
extern const struct cli_command cli_cmd_keystore_reopen;
extern const struct cli_command cli_cmd_keystore_compromise;
extern const struct cli_command cli_cmd_keystore_trash_list;
extern const struct cli_command cli_cmd_keystore_trash_restore;
extern const struct cli_command cli_cmd_keystore_trash_discard;
extern const struct cli_command cli_cmd_keystore_open_message_add;
extern const struct cli_command cli_cmd_keystore_open_message_close;
extern const struct cli_command cli_cmd_keystore_subscribe;
extern const struct cli_command cli_cmd_keystore_unsubscribe;
extern const struct cli_command cli_cmd_keystore_subscribers;
extern const struct cli_command cli_cmd_keystore_test_mail;
extern const struct cli_command cli_cmd_keystore_tick;
extern const struct cli_command cli_cmd_keystore_clock;
extern const struct cli_command cli_cmd_keystore_acceptable;
extern const struct cli_command cli_cmd_keystore_export;
extern const struct cli_command cli_cmd_keystore_import;
extern const struct cli_command cli_cmd_keystore_backup;
extern const struct cli_command cli_cmd_keystore_restore;
extern const struct cli_command cli_cmd_keystore_bundle;
extern const struct cli_command cli_cmd_keystore_rekey;
extern const struct cli_command cli_cmd_keystore_approve;
extern const struct cli_command cli_cmd_keystore_audit_verify;
extern const struct cli_command cli_cmd_keystore_audit_list;
extern const struct cli_command cli_cmd_keystore_mapping_list;
extern const struct cli_command cli_cmd_keystore_mapping_add;
extern const struct cli_command cli_cmd_keystore_mapping_retire;
extern const struct cli_command cli_cmd_keystore_nodes;
extern const struct cli_command cli_cmd_keystore_safe_to_remove;
extern const struct cli_command cli_cmd_keystore_expiring;
extern const struct cli_command cli_cmd_archive_report;
extern const struct cli_command cli_cmd_archive_diff;
extern const struct cli_command cli_cmd_archive_chain;
extern const struct cli_command cli_cmd_archive_impact;
extern const struct cli_command cli_cmd_archive_collect;
extern const struct cli_command cli_cmd_archive_export;
extern const struct cli_command cli_cmd_rollover_list_runbooks;
extern const struct cli_command cli_cmd_rollover_start;
extern const struct cli_command cli_cmd_rollover_status;
extern const struct cli_command cli_cmd_rollover_next;
extern const struct cli_command cli_cmd_rollover_confirm;
extern const struct cli_command cli_cmd_rollover_probe;
extern const struct cli_command cli_cmd_rollover_abort;
extern const struct cli_command cli_cmd_rollover_history;
extern const struct cli_command cli_cmd_rollover_message;
extern const struct cli_command cli_cmd_rollover_window;

const struct cli_command *const cli_commands[] = {
    &cli_cmd_gateway,
    &cli_cmd_status,
    &cli_cmd_reload,
    &cli_cmd_drain,
    &cli_cmd_hold,
    &cli_cmd_release,
    &cli_cmd_log_level,
    &cli_cmd_verify,
    &cli_cmd_sign,
    &cli_cmd_encrypt,
    &cli_cmd_decrypt,
    &cli_cmd_diagnose,
    &cli_cmd_archive_verify,
    &cli_cmd_archive_plan,
    &cli_cmd_keystore_init,
    &cli_cmd_keystore_list,
    &cli_cmd_keystore_show,
    &cli_cmd_keystore_add,
    &cli_cmd_keystore_add_crl,
    &cli_cmd_keystore_generate,
    &cli_cmd_keystore_csr,
    &cli_cmd_keystore_import_reply,
    &cli_cmd_keystore_renew,
    &cli_cmd_keystore_auto,
    &cli_cmd_keystore_activate,
    &cli_cmd_keystore_deactivate,
    &cli_cmd_keystore_suspend,
    &cli_cmd_keystore_resume,
    &cli_cmd_keystore_retire,
    &cli_cmd_keystore_remove,
    &cli_cmd_keystore_reopen,
    &cli_cmd_keystore_compromise,
    &cli_cmd_keystore_trash_list,
    &cli_cmd_keystore_trash_restore,
    &cli_cmd_keystore_trash_discard,
    &cli_cmd_keystore_open_message_add,
    &cli_cmd_keystore_open_message_close,
    &cli_cmd_keystore_subscribe,
    &cli_cmd_keystore_unsubscribe,
    &cli_cmd_keystore_subscribers,
    &cli_cmd_keystore_test_mail,
    &cli_cmd_keystore_tick,
    &cli_cmd_keystore_clock,
    &cli_cmd_keystore_acceptable,
    &cli_cmd_keystore_export,
    &cli_cmd_keystore_import,
    &cli_cmd_keystore_backup,
    &cli_cmd_keystore_restore,
    &cli_cmd_keystore_bundle,
    &cli_cmd_keystore_rekey,
    &cli_cmd_keystore_approve,
    &cli_cmd_keystore_audit_verify,
    &cli_cmd_keystore_audit_list,
    &cli_cmd_keystore_mapping_list,
    &cli_cmd_keystore_mapping_add,
    &cli_cmd_keystore_mapping_retire,
    &cli_cmd_keystore_nodes,
    &cli_cmd_keystore_safe_to_remove,
    &cli_cmd_keystore_expiring,
    &cli_cmd_archive_report,
    &cli_cmd_archive_diff,
    &cli_cmd_archive_chain,
    &cli_cmd_archive_impact,
    &cli_cmd_archive_collect,
    &cli_cmd_archive_export,
    &cli_cmd_rollover_list_runbooks,
    &cli_cmd_rollover_start,
    &cli_cmd_rollover_status,
    &cli_cmd_rollover_next,
    &cli_cmd_rollover_confirm,
    &cli_cmd_rollover_probe,
    &cli_cmd_rollover_abort,
    &cli_cmd_rollover_history,
    &cli_cmd_rollover_message,
    &cli_cmd_rollover_window,
    NULL,
};
