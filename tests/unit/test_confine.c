/* SPDX-License-Identifier: Apache-2.0 */
/* test_confine.c: what a judge of archives cannot do, each wall alone; in children, because nothing leaves them again.
 */
#include "archive/confine.h"
#include "tests/unit/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const harness_suite = "confine";

#define NO_KERNEL 200

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static int in_child(int (*run)(void))
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run());
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

/* @return 0: as it must be, NO_KERNEL, or the number of what is wrong */
static int without_files(void)
{
    char path[512];
    int held = memfd_create("payload", MFD_CLOEXEC);
    snprintf(path, sizeof path, "%s/made", harness_dir());
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 || write(held, "<a/>", 4) != 4 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return 1;
    }
    int rc = archive_confine_files();
    if (rc <= 0) {
        return rc == 0 ? NO_KERNEL : 2;
    }
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) {
        return 3;
    }
    if (open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || mkdir(path, 0700) == 0 ||
        open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0) {
        return 4;
    }
    void *p = mmap(NULL, 4, PROT_READ, MAP_PRIVATE, held, 0); /* what it was handed stays in reach */
    return p != MAP_FAILED && ((const char *)p)[1] == 'a' ? 0 : 5;
}

static void no_file_is_opened_and_what_was_handed_over_is_read(void)
{
    int rc = in_child(without_files);
    CU_ASSERT_TRUE(rc == 0 || rc == NO_KERNEL);
    if (rc == NO_KERNEL) {
        printf("# no Landlock in this kernel\n");
    } else if (rc != 0) {
        printf("# case %d\n", rc);
    }
}

const struct harness_test harness_tests[] = {
    {"no file is opened, and what was handed over is read", no_file_is_opened_and_what_was_handed_over_is_read},
    {NULL, NULL},
};
