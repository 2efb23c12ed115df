/* SPDX-License-Identifier: Apache-2.0 */
/* conclusion.c: see conclusion.h. */
#include "archive/conclusion.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"

void archive_conclusion_add(struct archive_conclusion *c, const char *word, bool complete, const char *text)
{
    if (c->n < ARCHIVE_FINDINGS) {
        struct archive_conclusion_text *t = &c->text[c->n];
        (void)cs_copy(t->word, sizeof t->word, word);
        (void)cs_copy(t->text, sizeof t->text, text);
        c->finding[c->n++] = (struct archive_finding){t->word, complete, t->text};
    }
}

static int put(int directory, const cs_buf *b)
{
    static const char fresh[] = ARCHIVE_CONCLUSION_FILE ".new";
    int fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    bool good = fd >= 0 && write(fd, b->data, b->len) == (ssize_t)b->len && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good && renameat(directory, fresh, directory, ARCHIVE_CONCLUSION_FILE) == 0 && fsync(directory) == 0 ? 0
                                                                                                                : -1;
}

int archive_conclusion_write(const struct archive_conclusion *c, const char *directory, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_str(&j, "run", c->run);
    cs_json_int(&j, "items", (int64_t)c->items);
    cs_json_array(&j, "coverage");
    for (size_t i = 0; i < c->n; i++) {
        cs_json_object(&j, NULL);
        cs_json_str(&j, "word", c->finding[i].word);
        cs_json_bool(&j, "complete", c->finding[i].complete);
        cs_json_str(&j, "text", c->finding[i].text);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    cs_buf_addc(&b, '\n');
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = !b.failed && fd >= 0 && put(fd, &b) == 0
                 ? 0
                 : cs_error_set(e, CS_EXIT_STOPPED, "journal-write", "the end of the run cannot be noted in %.300s: %s",
                                directory, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    cs_buf_free(&b);
    return rc;
}

static bool take(struct archive_conclusion *c, const json_t *o)
{
    const char *run = json_string_value(json_object_get(o, "run"));
    const json_t *items = json_object_get(o, "items");
    const json_t *coverage = json_object_get(o, "coverage");
    size_t i = 0;
    const json_t *one = NULL;
    if (json_integer_value(json_object_get(o, "v")) != 1 || run == NULL || !cs_copy(c->run, sizeof c->run, run) ||
        !json_is_integer(items) || json_integer_value(items) < 0 || !json_is_array(coverage)) {
        return false;
    }
    c->items = (uint64_t)json_integer_value(items);
    json_array_foreach(coverage, i, one)
    {
        const char *word = json_string_value(json_object_get(one, "word"));
        const char *text = json_string_value(json_object_get(one, "text"));
        if (word == NULL || text == NULL) {
            return false;
        }
        archive_conclusion_add(c, word, json_is_true(json_object_get(one, "complete")), text);
    }
    return true;
}

int archive_conclusion_read(struct archive_conclusion *c, const char *directory, cs_error *e)
{
    char path[4096];
    *c = (struct archive_conclusion){.n = 0};
    int n = snprintf(path, sizeof path, "%s/" ARCHIVE_CONCLUSION_FILE, directory);
    if (n < 0 || (size_t)n >= sizeof path || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return 0;
    }
    json_t *o = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(o) && take(c, o);
    json_decref(o);
    return good ? 1 : cs_error_set(e, CS_EXIT_CONFIG, "journal-corrupt", "%.300s is damaged", path);
}
