# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what the programs read: the same bytes each time, small enough for an emulated CPU.
What they are is made up here; the sizes are chosen for 10^8 to 10^9 instructions."""

import math
import struct


class Random:
    """The same numbers in every version of Python."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return (self.state >> 33) % n


def words(random, n):
    """Made-up words, some of them often, as in a language."""
    syllables = ['ka', 'to', 'mi', 'ren', 'sa', 'lu', 'per', 'fo', 'nix', 'del', 'um', 'gra']
    known = [''.join(syllables[random.below(12)] for _ in range(1 + random.below(4)))
             for _ in range(2000)]
    return [known[min(random.below(2000), random.below(2000), random.below(2000))]
            for _ in range(n)]


def text(seed, n):
    random, lines = Random(seed), []
    line = ''
    for word in words(random, n):
        line += word + ' '
        if len(line) > 60 + random.below(20):
            lines.append(line.strip() + '.')
            line = ''
    return '\n'.join(lines) + '\n'


def bzip2():
    yield 'text', text(1, 80000)


def perl():
    random = Random(2)
    letters = []
    for n in range(150):
        body = text(random.below(1 << 30), 60 + random.below(100))
        letters.append('From user%d@host%d.example\nSubject: %s\nReceived: by mx%d; %d\n\n%s'
                       % (random.below(40), random.below(9), body[:30].strip(), random.below(5),
                          n, body))
    yield 'mail', '\n'.join(letters)
    # Sorts letters by sender, finds words, rewrites headers: what 400.perlbench does.
    yield 'sort.pl', r'''
use strict;
local $/ = "\nFrom ";
my (%by, %words, %hosts);
open my $mail, '<', 'mail' or die;
while (<$mail>) {
    s/\nFrom \z//;
    my ($user, $host) = /(\w+)\@([\w.]+)/ or next;
    $hosts{$host}++;
    my ($head, $body) = split /\n\n/, $_, 2;
    $head =~ s/^(\w+): *(.*)$/lc($1) . '=' . ucfirst($2)/gem;
    my %here;
    $here{lc $1}++ while $body =~ /\b([a-z]+)\b/gi;
    $words{$_} += $here{$_} for keys %here;
    my $score = 0;
    $score += 3 while $body =~ /(ka\w*mi|ren\w{2,4}to)\b/g;
    $score++ if $body =~ /(\w+) \1/;
    push @{$by{$user}}, [$score, $head, length $body];
}
for my $user (sort { @{$by{$b}} <=> @{$by{$a}} || $a cmp $b } keys %by) {
    my @best = sort { $b->[0] <=> $a->[0] || $a->[1] cmp $b->[1] } @{$by{$user}};
    printf "%-8s %3d letters, best %4d: %s\n", $user, scalar @best, $best[0][0],
        join ' | ', split /\n/, $best[0][1];
}
my @often = sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words;
print join(' ', map { "$_=$words{$_}" } @often[0 .. 99]), "\n";
print join(' ', map { "$_=$hosts{$_}" } sort keys %hosts), "\n";
'''


def gcc():
    random, out = Random(3), []
    out.append('struct node { struct node *next; int key; double weight; };\n'
               'extern int printf(const char *, ...);\n')
    for n in range(7):
        k = [1 + random.below(50) for _ in range(8)]
        out.append('''
static int f%d(struct node *list, int *table, int n)
{
	int sum = %d, i, j;
	double w = 0;
	for (i = 0; i < n; i++) {
		for (j = i; j < n; j += %d)
			table[i] += table[j] * %d ^ (sum >> %d);
		switch (table[i] %% 7) {
		case 0: sum += %d; break;
		case 1: sum ^= table[i] << 3; break;
		case 2: sum -= i * %d; break;
		case 4: w += table[i] / %d.0; break;
		default: sum = sum * 31 + i;
		}
	}
	for (; list; list = list->next)
		if (list->key > sum %% %d)
			w += list->weight * sum;
		else
			sum += list->key;
	return sum + (int)w;
}
''' % (n, k[0], k[1], k[2], k[3] % 13, k[4], k[5], k[6], k[7]))
    out.append('int main(void)\n{\n\tint t[100] = {1}, s = 0;\n\tstruct node a = {0, 3, 1.5};\n')
    out += ['\ts += f%d(&a, t, %d);\n' % (n, 10 + n) for n in range(7)]
    out.append('\tprintf("%d\\n", s);\n\treturn 0;\n}\n')
    yield 'program.i', ''.join(out)


def gnugo():
    yield 'game', 'boardsize 9\nkomi 5.5\n' + 2 * 'genmove b\ngenmove w\n' + 'showboard\nquit\n'


def hmmer():
    random, amino = Random(4), 'ACDEFGHIKLMNPQRSTVWY'
    family = [amino[random.below(20)] for _ in range(80)]
    rows = ''
    for n in range(12):
        row = [amino[random.below(20)] if random.below(5) == 0 else
               '-' if random.below(25) == 0 else letter for letter in family]
        rows += 'seq%-3d %s\n' % (n, ''.join(row))
    yield 'family.sto', '# STOCKHOLM 1.0\n' + rows + '//\n'
    sequences = ''
    for n in range(60):
        row = [amino[random.below(20)] for _ in range(100 + random.below(100))]
        if n % 10 == 0:
            row[20:20] = [amino[random.below(20)] if random.below(4) == 0 else letter
                          for letter in family]
        sequences += '>protein%d\n%s\n' % (n, ''.join(row))
    yield 'proteins.fa', sequences


def libquantum():
    return ()


def x264():
    """A disc moves over a gradient with some noise."""
    random, width, height = Random(5), 176, 144
    out = [b'YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420\n' % (width, height)]
    for n in range(4):
        frame = bytearray()
        for y in range(height):
            for x in range(width):
                inside = (x - 40 - 6 * n) ** 2 + (y - 70 + 3 * n) ** 2 < 900
                frame.append((200 if inside else 60 + (x + y) // 4) + random.below(6))
        for plane in range(2):
            for y in range(height // 2):
                for x in range(width // 2):
                    frame.append(110 + plane * 20 + x // 8)
        out += [b'FRAME\n', bytes(frame)]
    yield 'video.y4m', b''.join(out)


def xalan():
    random, out = Random(7), ['<?xml version="1.0"?>\n<library>\n']
    for n in range(300):
        out.append('  <book id="b%d" year="%d"><title>%s</title><author>%s</author>'
                   '<pages>%d</pages></book>\n'
                   % (n, 1900 + random.below(120), ' '.join(words(random, 4)) if n % 20 == 0 else
                      'title %d' % random.below(1000), 'author%d' % random.below(30),
                      50 + random.below(900)))
    yield 'library.xml', ''.join(out) + '</library>\n'
    yield 'list.xsl', '''<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html"/>
<xsl:key name="by" match="book" use="author"/>
<xsl:template match="/library">
  <html><body>
  <xsl:for-each select="book[generate-id() = generate-id(key('by', author)[1])]">
    <xsl:sort select="author"/>
    <h2><xsl:value-of select="author"/>: <xsl:value-of select="count(key('by', author))"/>
      (<xsl:value-of select="sum(key('by', author)/pages)"/>)</h2>
    <xsl:apply-templates select="key('by', author)"><xsl:sort select="@year" data-type="number"/></xsl:apply-templates>
  </xsl:for-each>
  </body></html>
</xsl:template>
<xsl:template match="book">
  <p><xsl:value-of select="concat(@year, ' ', translate(title, 'abcdefgh', 'ABCDEFGH'))"/>
  <xsl:if test="pages &gt; 500"> (<xsl:value-of select="round(pages div 10)"/>)</xsl:if>
  , after <xsl:value-of select="count(preceding-sibling::book[@year &lt; current()/@year])"/></p>
</xsl:template>
</xsl:stylesheet>
'''


def calculix():
    """A beam of bricks, fixed at one end, bent at the other."""
    nx, ny, nz = 16, 4, 4

    def node(i, j, k):
        return 1 + i + (nx + 1) * (j + (ny + 1) * k)

    nodes = ['%d, %g, %g, %g' % (node(i, j, k), i * 1.0, j * 0.5, k * 0.5)
             for k in range(nz + 1) for j in range(ny + 1) for i in range(nx + 1)]
    bricks, n = [], 0
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                n += 1
                bricks.append(', '.join(map(str, (
                    n, node(i, j, k), node(i + 1, j, k), node(i + 1, j + 1, k), node(i, j + 1, k),
                    node(i, j, k + 1), node(i + 1, j, k + 1), node(i + 1, j + 1, k + 1),
                    node(i, j + 1, k + 1)))))
    ends = [[node(x, j, k) for j in range(ny + 1) for k in range(nz + 1)] for x in (0, nx)]
    yield 'beam.inp', '\n'.join(
        ['*NODE, NSET=ALL'] + nodes + ['*ELEMENT, TYPE=C3D8, ELSET=BEAM'] + bricks +
        ['*MATERIAL, NAME=STEEL', '*ELASTIC', '210000., .3',
         '*SOLID SECTION, ELSET=BEAM, MATERIAL=STEEL', '*BOUNDARY'] +
        ['%d, 1, 3' % n for n in ends[0]] + ['*STEP', '*STATIC', '*CLOAD'] +
        ['%d, 3, -10.' % n for n in ends[1]] +
        ['*NODE PRINT, NSET=ALL', 'U', '*EL PRINT, ELSET=BEAM', 'S', '*END STEP', ''])


def sphinx():
    """Vowels, by two formants, between pauses."""
    random, samples = Random(8), []
    formants = [(700, 1200), (300, 2300), (500, 900), (400, 1900)]
    for n in range(10):
        low, high = formants[n % 4]
        for t in range(3200 if n % 2 else 1600):
            voice = sum(math.sin(2 * math.pi * 120 * h * t / 16000) /
                        (1 + abs(120 * h - low) / 80 + abs(120 * h - high) / 300)
                        for h in range(1, 24))
            samples.append(int(2500 * voice) + random.below(100) - 50)
        samples += [random.below(60) - 30 for _ in range(800)]
    yield 'speech.raw', struct.pack('<%dh' % len(samples),
                                    *(max(-32000, min(32000, s)) for s in samples))
    yield 'words.gram', ('#JSGF V1.0;\ngrammar words;\n'
                         'public <all> = (are | ear | all | eel | you | far | lee | low)*;\n')
    yield 'words.dict', ('all AO L\nare AA R\near IY R\neel IY L\nfar F AA R\nlee L IY\nlow L OW\n'
                         'you Y UW\n')
