/* SPDX-License-Identifier: Apache-2.0 */
/* test_feed.c: what changes below a run while it is read is neither what was nor what is; limits at their border. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/feed.h"
#include "tests/unit/harness.h"

#define MEMBERS   3
#define TEXT      "<a>of a message</a>"
#define MOST      ((uint64_t)1 << 20)
#define IN_MEMORY ((size_t)1 << 20)

const char *const harness_suite = "feed";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* ---- what happens behind the next read ----------------------------------------------------------------------------
 */

static const char *changing; /* a file; NULL: none */
static void (*change)(const char *path);

ssize_t read(int fd, void *p, size_t n)
{
    ssize_t got = syscall(SYS_read, fd, p, n);
    const char *path = changing;
    changing = NULL;
    if (path != NULL) {
        change(path);
    }
    return got;
}

static void grow(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    CU_ASSERT_EQUAL(write(fd, " ", 1), 1);
    close(fd);
}

static void shrink(const char *path)
{
    CU_ASSERT_EQUAL(truncate(path, 3), 0);
}

static void write_over(const char *path)
{
    int fd = open(path, O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, "<b>", 3, 0), 3);
    close(fd);
}

static void replace(const char *path)
{
    char other[600];
    (void)snprintf(other, sizeof other, "%s.new", path);
    int fd = open(other, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_EQUAL(write(fd, "<b>", 3), 3);
    close(fd);
    CU_ASSERT_EQUAL(rename(other, path), 0);
}

/* ---- material -------------------------------------------------------------------------------------------------------
 */

static const char *place(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", harness_dir(), name);
    return path;
}

/* Written long ago, so that every change shows. */
static void age(const char *path)
{
    const struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *message(size_t octets)
{
    const char *path = place("a.xml");
    FILE *out = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL(fputs(TEXT, out) >= 0, true);
    for (size_t i = strlen(TEXT); i < octets; i++) {
        fputc(' ', out);
    }
    CU_ASSERT_EQUAL(fclose(out), 0);
    age(path);
    return path;
}

/* A tar whose members are larger than what is read at a time. */
static const char *archive(void)
{
    static char text[300000] = TEXT;
    const char *path = place("a.tar");
    struct archive *out = archive_write_new();
    memset(text + strlen(TEXT), ' ', sizeof text - strlen(TEXT));
    CU_ASSERT_EQUAL(archive_write_set_format_ustar(out), ARCHIVE_OK);
    CU_ASSERT_EQUAL(archive_write_open_filename(out, path), ARCHIVE_OK);
    for (int i = 0; i < MEMBERS; i++) {
        char name[16];
        struct archive_entry *entry = archive_entry_new();
        (void)snprintf(name, sizeof name, "%d.xml", i);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, sizeof text);
        CU_ASSERT_EQUAL(archive_write_header(out, entry), ARCHIVE_OK);
        CU_ASSERT_EQUAL(archive_write_data(out, text, sizeof text), (la_ssize_t)sizeof text);
        archive_entry_free(entry);
    }
    CU_ASSERT_EQUAL(archive_write_free(out), ARCHIVE_OK);
    age(path);
    return path;
}

struct fed {
    struct archive_order order;
    struct archive_feed *feed;
    struct archive_item item;
};

static void begin(struct fed *f, const char *path, uint64_t most)
{
    cs_error e = {0};
    *f = (struct fed){.order = ARCHIVE_ORDER_INIT, .item = ARCHIVE_ITEM_INIT};
    f->order.max_member = most;
    CU_ASSERT_EQUAL_FATAL(archive_texts_add(&f->order.path, path), 0);
    CU_ASSERT_EQUAL_FATAL(archive_feed_new(&f->feed, &f->order, NULL, 1, IN_MEMORY, &e), 0);
}

/* @return whether there is another item */
static bool next(struct fed *f)
{
    archive_item_clear(&f->item);
    return archive_feed_next(f->feed, &f->item) == 1;
}

static void end(struct fed *f)
{
    archive_item_clear(&f->item);
    archive_feed_free(f->feed);
    archive_order_free(&f->order);
    changing = NULL;
}

static bool was_changed(const struct fed *f)
{
    return f->item.trouble == WSSEC_IO_ERROR && strcmp(f->item.detail, "the file was changed while it was read") == 0;
}

/* ---- tests ----------------------------------------------------------------------------------------------------------
 */

static void a_message_that_changes_while_it_is_read_is_an_error(void)
{
    static void (*const changes[])(const char *) = {grow, shrink, write_over};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fed f;
        const char *path = message(100);
        begin(&f, path, MOST);
        changing = path;
        change = changes[i];
        CU_ASSERT_TRUE_FATAL(next(&f));
        CU_ASSERT_PTR_NULL(changing);
        CU_ASSERT_TRUE(was_changed(&f));
        CU_ASSERT_PTR_NULL(f.item.data);
        CU_ASSERT_FALSE(next(&f));
        end(&f);
    }
}

static void a_message_that_is_replaced_while_it_is_read_is_the_one_that_was_opened(void)
{
    struct fed f;
    const char *path = message(100);
    begin(&f, path, MOST);
    changing = path;
    change = replace;
    CU_ASSERT_TRUE_FATAL(next(&f));
    CU_ASSERT_PTR_NULL(changing);
    /* the loss of its name changes the file, too: said rather than passed over */
    CU_ASSERT_TRUE(was_changed(&f) || (f.item.size == 100 && memcmp(f.item.data, TEXT, strlen(TEXT)) == 0));
    CU_ASSERT_FALSE(next(&f));
    end(&f);
}

static void an_archive_that_changes_between_two_members_says_so_at_its_end(void)
{
    struct fed f;
    const char *path = archive();
    begin(&f, path, MOST);
    CU_ASSERT_TRUE_FATAL(next(&f));
    CU_ASSERT_EQUAL(f.item.trouble, WSSEC_OK);
    write_over(path);
    for (int i = 1; i < MEMBERS; i++) {
        CU_ASSERT_TRUE_FATAL(next(&f));
        CU_ASSERT_EQUAL(f.item.trouble, WSSEC_OK);
    }
    CU_ASSERT_TRUE_FATAL(next(&f));
    CU_ASSERT_TRUE(was_changed(&f));
    CU_ASSERT_STRING_EQUAL(f.item.loc, path);
    CU_ASSERT_FALSE(next(&f));
    end(&f);
}

static void an_archive_that_is_cut_while_it_is_read_keeps_what_it_gave(void)
{
    struct fed f;
    const char *path = archive();
    begin(&f, path, MOST);
    CU_ASSERT_TRUE_FATAL(next(&f));
    CU_ASSERT_EQUAL(f.item.trouble, WSSEC_OK);
    CU_ASSERT_EQUAL(truncate(path, 700000), 0); /* within the third one */
    unsigned good = 0;
    unsigned bad = 0;
    while (next(&f)) {
        good += f.item.trouble == WSSEC_OK;
        bad += f.item.trouble == WSSEC_IO_ERROR;
    }
    CU_ASSERT_EQUAL(good, 1);
    CU_ASSERT_TRUE(bad >= 1);
    end(&f);
}

static void what_does_not_change_is_given_as_it_is(void)
{
    struct fed f;
    const char *path = archive();
    unsigned n = 0;
    for (begin(&f, path, MOST); next(&f); n++) {
        CU_ASSERT_EQUAL(f.item.trouble, WSSEC_OK);
        CU_ASSERT_EQUAL(f.item.size, 300000);
        CU_ASSERT_EQUAL(f.item.seq, n + 1);
    }
    CU_ASSERT_EQUAL(n, MEMBERS);
    end(&f);
}

static void a_payload_of_the_limit_is_taken_and_one_octet_more_is_not(void)
{
    for (size_t octets = 199; octets <= 201; octets++) {
        struct fed f;
        begin(&f, message(octets), 200);
        CU_ASSERT_TRUE_FATAL(next(&f));
        CU_ASSERT_EQUAL(f.item.trouble, octets <= 200 ? WSSEC_OK : WSSEC_LIMIT_MEMBER);
        CU_ASSERT_EQUAL(f.item.data != NULL, octets <= 200);
        end(&f);
    }
}

const struct harness_test harness_tests[] = {
    {"a message that changes while it is read is an error", a_message_that_changes_while_it_is_read_is_an_error},
    {"a message that is replaced while it is read is the one that was opened",
     a_message_that_is_replaced_while_it_is_read_is_the_one_that_was_opened},
    {"an archive that changes between two members says so at its end",
     an_archive_that_changes_between_two_members_says_so_at_its_end},
    {"an archive that is cut while it is read keeps what it gave",
     an_archive_that_is_cut_while_it_is_read_keeps_what_it_gave},
    {"what does not change is given as it is", what_does_not_change_is_given_as_it_is},
    {"a payload of the limit is taken and one octet more is not",
     a_payload_of_the_limit_is_taken_and_one_octet_more_is_not},
    {NULL, NULL},
};
