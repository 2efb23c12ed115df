/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h: what the pages in docs/ are filled with. Each function prints one table of the product in the form that its
 * page has; a template (docs/templates) holds the prose and, on a line of its own, @NAME@ where a table goes.
 */
#ifndef DOCS_PAGE_H
#define DOCS_PAGE_H

#include <stdio.h>

/** Markdown: the rows of wssec/reason.def in groups. */
void page_reasons(FILE *out);
/** bsp.c */
void page_bsp(FILE *out);
/** mdoc(7): every command with its options, from the tables that drive the parser. */
void page_commands(FILE *out);
/** mdoc(7): the options that every command has. */
void page_global_options(FILE *out);
/** mdoc(7): every directive, block by block, from the rows that the configuration is checked against. */
void page_directives(FILE *out);
/** Markdown: the life cycle of entries: transitions, guards, verbs by state. */
void page_transitions(FILE *out);
void page_guards(FILE *out);
void page_verbs(FILE *out);
/** Markdown: the grammar of a runbook, and what closes its steps. */
void page_runbook_words(FILE *out);
void page_runbook_checks(FILE *out);
/** bash: functions that tell commands, options and values. */
void page_completion(FILE *out);

/** Text as mdoc(7) shows it unchanged; a line that would be a request is no request. */
void page_roff(FILE *out, const char *text);
/** The same between double quotes, as one argument of a macro. */
void page_roff_argument(FILE *out, const char *text);
/** As page_roff, first letter a capital, one full stop at the end. */
void page_roff_sentence(FILE *out, const char *text);

#endif
