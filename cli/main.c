/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the countersign command: from the command line to one run() and its exit code. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "cli/options.h"
#include "wssec/wssec.h"

#define DEFAULT_CONF "/etc/countersign/countersign.conf"

static int print_version(bool json)
{
    char why[256];
    if (wssec_init(NULL, why, sizeof why) != 0) { /* the libraries tell their versions once they run */
        fprintf(stderr, "countersign: %s\n", why);
        return CS_EXIT_INTERNAL;
    }
    if (!json) {
        printf("countersign %s\n%s\nlibevent %s\nSQLite %s\n", CS_VERSION, wssec_versions(), event_get_version(),
               sqlite3_libversion());
        return CS_EXIT_OK;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "countersign", CS_VERSION);
    cs_json_str(&j, "wssec", wssec_versions());
    cs_json_str(&j, "libevent", event_get_version());
    cs_json_str(&j, "sqlite", sqlite3_libversion());
    cs_json_object_end(&j);
    int rc = b.failed ? CS_EXIT_INTERNAL : CS_EXIT_OK;
    if (rc == CS_EXIT_OK) {
        puts(b.data);
    }
    cs_buf_free(&b);
    return rc;
}

static void fill_context(struct cli_context *c, const struct cli_call *call)
{
    const char *no_color = getenv("NO_COLOR");
    const char *environment = getenv("COUNTERSIGN_CONF");
    memset(c, 0, sizeof *c);
    c->command = call->command;
    c->argc = call->n_operand;
    c->argv = call->operand;
    c->parsed = call->parsed;
    c->now_given = cli_option_time(c, "now", &c->now);
    if (!c->now_given) {
        c->now = cs_clock_now();
    }
    c->json = cli_given(c, "json");
    c->quiet = cli_given(c, "quiet");
    c->verbose = cli_given(c, "verbose") && !c->quiet;
    c->color = isatty(STDERR_FILENO) && (no_color == NULL || no_color[0] == '\0');
    c->config_file = cli_option(c, "config");
    if (c->config_file == NULL && environment != NULL && environment[0] != '\0') {
        c->config_file = environment;
    }
    c->config_file_given = c->config_file != NULL;
    if (c->config_file == NULL) {
        c->config_file = DEFAULT_CONF;
    }
    c->keystore_uri = cli_option(c, "keystore");
}

/* A descriptor 0 to 2 that is closed would be given to the next file opened, and messages would be written into it. */
static void hold_standard_descriptors(void)
{
    int fd = -1;
    do {
        fd = open("/dev/null", O_RDWR); /* inherited on purpose: it stands for a standard descriptor */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

static int usage_error(const struct cli_call *call)
{
    char words[96] = "";
    if (call->command != NULL) {
        cli_command_words(call->command, words, sizeof words);
    }
    const char *of = call->command != NULL ? words : call->group;
    fprintf(stderr, "countersign: %s\ncountersign: \"countersign %s%s--help\" tells more\n", call->problem, of,
            of[0] != '\0' ? " " : "");
    return CS_EXIT_USAGE;
}

static int run(int argc, char *argv[])
{
    struct cli_call call;
    struct cli_context c;
    int rc = CS_EXIT_USAGE;
    if (cli_parse(argc, argv, &call) != 0) {
        rc = usage_error(&call);
    } else if (call.help) {
        cli_help(stdout, call.command, call.group);
        rc = CS_EXIT_OK;
    } else if (call.version) {
        rc = print_version(cli_parsed_value(call.parsed, "json") != NULL);
    } else {
        fill_context(&c, &call);
        rc = c.command->run(&c);
    }
    cli_call_free(&call);
    return rc;
}

int main(int argc, char *argv[])
{
    hold_standard_descriptors();
    cs_secret_start();
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on files is what a full disk is: an error of what is written */
    int rc = run(argc, argv);
    /* a result that could not be written was not given: a full disk must not look like success */
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == CS_EXIT_OK) {
        fprintf(stderr, "countersign: the output cannot be written: %s\n", strerror(errno));
        rc = CS_EXIT_UNAVAILABLE;
    }
    return rc;
}
