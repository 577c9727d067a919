// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flame graph: who called whom, from the thread at the bottom upwards, as wide
 * as its share of the samples.  One SVG that needs nothing else: each box has a
 * title, which a browser shows by itself; with scripts a click makes a box as
 * wide as the picture.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

#define WIDTH     1200.0
#define MARGIN    10.0
#define ROW       17.0
#define HEAD_LINE 15.0
#define CHARACTER 7.0 /* widest of the 12 pixel font, on average */
/* What is narrower than this nobody could see, nor point at. */
#define NARROWEST 0.1

static void print_escaped(FILE *stream, const char *text, size_t size)
{
	for (; size--; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '&':
			fputs("&amp;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		default:
			fputc(*text, stream);
		}
}

/* Levels of boxes that are wide enough; @scale: pixels of a sample. */
static unsigned int height(const struct stack_node *node, double scale)
{
	const struct stack_node *child;
	unsigned int highest = 0;

	for (child = node->first; child; child = child->next) {
		unsigned int above;

		if ((double)child->samples * scale < NARROWEST)
			continue;
		above = height(child, scale) + 1;
		if (above > highest)
			highest = above;
	}
	return highest;
}

/* The same name has the same colour: warm ones, and blue for the kernel. */
static void print_colour(FILE *stream, const struct stack_node *node)
{
	uint32_t hash = 2166136261u;
	const char *at;

	for (at = node->name; at && *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	if (node->kernel)
		fprintf(stream, "rgb(%u,%u,%u)", 120 + (hash >> 8) % 40,
			160 + (hash >> 16) % 40, 215 + (hash >> 24) % 40);
	else
		fprintf(stream, "rgb(%u,%u,%u)", 220 + (hash >> 8) % 36,
			110 + (hash >> 16) % 100, 50 + (hash >> 24) % 50);
}

/* As many characters of @text as @room is wide; their bytes. */
static size_t fitting(const char *text, double room, bool *cut)
{
	size_t most = room > 0 ? (size_t)(room / CHARACTER) : 0, nr = 0, bytes;

	for (bytes = 0; text[bytes]; bytes++)
		nr += ((unsigned char)text[bytes] & 0xc0) != 0x80;
	*cut = nr > most;
	if (!*cut)
		return bytes;
	most = most > 2 ? most - 2 : 0;
	for (bytes = nr = 0; text[bytes]; bytes++)
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 && nr++ == most)
			break;
	return bytes;
}

struct canvas {
	FILE *stream;
	double scale; /* pixels of a sample */
	double bottom;
	uint64_t total;
};

static void print_box(const struct canvas *canvas,
		      const struct stack_node *node, double x,
		      unsigned int level)
{
	double width = (double)node->samples * canvas->scale;
	double y = canvas->bottom - ROW * (level + 1);
	const char *name = node->name ? node->name : "all";
	size_t bytes;
	bool cut;

	fprintf(canvas->stream, "<g class=\"b\"><title>");
	print_escaped(canvas->stream, name, strlen(name));
	fprintf(canvas->stream, " (%" PRIu64 " samples, %.2f %%)</title>",
		node->samples,
		100.0 * (double)node->samples / (double)canvas->total);
	fprintf(canvas->stream,
		"<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"",
		x, y, width, ROW - 1);
	print_colour(canvas->stream, node);
	fputs("\"/>", canvas->stream);
	bytes = fitting(name, width - 6, &cut);
	fprintf(canvas->stream, "<text x=\"%.2f\" y=\"%.1f\">", x + 3,
		y + ROW - 5);
	if (bytes) {
		print_escaped(canvas->stream, name, bytes);
		if (cut)
			fputs("..", canvas->stream);
	}
	fputs("</text></g>\n", canvas->stream);
}

static void print_boxes(const struct canvas *canvas,
			const struct stack_node *node, double x,
			unsigned int level)
{
	const struct stack_node *child;

	if ((double)node->samples * canvas->scale < NARROWEST)
		return;
	print_box(canvas, node, x, level);
	for (child = node->first; child; child = child->next) {
		print_boxes(canvas, child, x, level + 1);
		x += (double)child->samples * canvas->scale;
	}
}

/*
 * A click on a box: it and what is below it get the whole width, what is above it
 * its share of that, the rest disappears.  A click on "all" brings all back.
 */
static const char script[] =
	"<script><![CDATA[\n"
	"(function () {\n"
	"  var left = %.1f, width = %.1f, letter = %.1f;\n"
	"  var boxes = [].slice.call(document.querySelectorAll('g.b')).map(function (g) {\n"
	"    var rect = g.querySelector('rect'), title = g.querySelector('title').textContent;\n"
	"    return {g: g, rect: rect, text: g.querySelector('text'),\n"
	"      name: title.replace(/ \\([^(]*\\)$/, ''), x: +rect.getAttribute('x'),\n"
	"      w: +rect.getAttribute('width'), y: +rect.getAttribute('y')};\n"
	"  });\n"
	"  function place(box, x, w) {\n"
	"    var most = Math.floor((w - 6) / letter), name = box.name;\n"
	"    box.rect.setAttribute('x', x);\n"
	"    box.rect.setAttribute('width', w);\n"
	"    box.text.setAttribute('x', x + 3);\n"
	"    if (name.length > most) name = most > 2 ? name.slice(0, most - 2) + '..' : '';\n"
	"    box.text.textContent = name;\n"
	"  }\n"
	"  function zoom(to) {\n"
	"    var factor = width / to.w, near = 0.005;\n"
	"    boxes.forEach(function (box) {\n"
	"      var under = box.y >= to.y && box.x <= to.x + near && box.x + box.w >= to.x + to.w - near;\n"
	"      var over = box.y < to.y && box.x >= to.x - near && box.x + box.w <= to.x + to.w + near;\n"
	"      box.g.style.display = under || over ? '' : 'none';\n"
	"      if (under) place(box, left, width);\n"
	"      else if (over) place(box, left + (box.x - to.x) * factor, box.w * factor);\n"
	"    });\n"
	"  }\n"
	"  boxes.forEach(function (box) {\n"
	"    box.g.addEventListener('click', function () { zoom(box); });\n"
	"  });\n"
	"})();\n"
	"]]></script>\n";

/* The summary in lines of text; how many. */
static unsigned int print_lines(FILE *stream, char *summary)
{
	unsigned int nr = 0;
	char *line, *rest = summary;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		fprintf(stream, "<text x=\"%.1f\" y=\"%.1f\">", MARGIN,
			MARGIN + HEAD_LINE * ++nr);
		print_escaped(stream, line, strlen(line));
		fputs("</text>\n", stream);
	}
	return nr;
}

static unsigned int count_lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static void print_picture(FILE *stream, const struct stack_node *root,
			  char *summary)
{
	double room = WIDTH - 2 * MARGIN;
	struct canvas canvas = {.stream = stream, .total = root->samples};
	double top = MARGIN + HEAD_LINE * (count_lines(summary) + 1);

	canvas.scale = root->samples ? room / (double)root->samples : 0;
	canvas.bottom = top + ROW * (height(root, canvas.scale) + 1);
	fprintf(stream,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
		"<style>text { font: 12px monospace; } .b text { pointer-events: none; } .b rect { stroke: #fff; stroke-width: 0.4; } .b:hover rect { stroke: #000; stroke-width: 1; }</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fffdf5\"/>\n",
		WIDTH, canvas.bottom + MARGIN, WIDTH, canvas.bottom + MARGIN);
	print_lines(stream, summary);
	if (root->samples)
		print_boxes(&canvas, root, MARGIN, 0);
	fprintf(stream, script, MARGIN, room, CHARACTER);
	fputs("</svg>\n", stream);
}

int report_flamegraph(FILE *stream, const struct profile *profile,
		      unsigned int event)
{
	struct stack_node *root = stacks_build(profile, event);
	char *summary = NULL;
	size_t size;
	FILE *text = open_memstream(&summary, &size);
	int error = 0;

	if (text)
		report_summary(text, "", profile, event);
	if (!text || fclose(text) != 0 || !root)
		error = ENOMEM;
	if (!error)
		print_picture(stream, root, summary);
	free(summary);
	stacks_free(root);
	return error;
}
