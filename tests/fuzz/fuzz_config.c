/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c: any octets as a configuration file: read, checked and applied against rows of every shape. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touched;

static void set(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    touched += strlen(node->name);
    for (int i = 0; i < node->argc; i++) {
        touched += strlen(node->arg[i].text);
    }
    if (node->argc == 1 && touched % 7 == 0) {
        cs_conf_error(report, node, 0, "\"%s\" is refused", node->arg[0].text);
    }
    if (touched % 5 != 0) {
        *child = parent;
    }
}

#define ROW(name, block, args, opens, flags)                                                                           \
    {                                                                                                                  \
        name, block, args, opens, flags, NULL, "", "", "", set                                                         \
    }
static const struct cs_directive rows[] = {
    ROW("keystore", "", "word string", NULL, 0),
    ROW("retention", "", "duration", NULL, 0),
    ROW("policy", "", "name", "policy", CS_DIR_REPEAT),
    ROW("require-signed", "policy", "word+", NULL, 0),
    ROW("legacy", "policy", "sha1|cbc until time", NULL, CS_DIR_REPEAT),
    ROW("limits", "policy", "", "limits", 0),
    ROW("body", "limits", "size", NULL, 0),
    ROW("expired-certificate", "policy", "refuse|grace duration?", NULL, 0),
    ROW("replay", "policy", "on-off", NULL, 0),
    ROW("listener", "", "name", "listener", CS_DIR_REPEAT),
    ROW("address", "listener", "address", NULL, CS_DIR_REQUIRED),
    ROW("route", "", "name", "route", CS_DIR_REPEAT),
    ROW("sign", "route", "name", "sign?", 0),
    ROW("loops", "", "auto|number", NULL, 0),
    ROW("free", "", "string*", "free", CS_DIR_FREE_BLOCK),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cs_conf_table table = {rows, sizeof rows / sizeof rows[0]};
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    int root = 0;
    if (cs_conf_read_text("fuzz", (const char *)data, size, &table, 1, &tree, &report) != 0 && report.n == 0) {
        __builtin_trap(); /* refused, and nobody said why */
    }
    if (tree != NULL) {
        cs_conf_apply(tree, table, &root, &report);
    }
    cs_conf_free(tree);
    cs_conf_report_free(&report);
    return 0;
}
