# SPDX-License-Identifier: GPL-2.0-or-later
"""sources.py [SUITE]: prints, as a deb822 file, Debian 12's part of this machine's apt
sources, with source packages added for the suites that keep them; or only the
source packages of another SUITE, from the same archive. Reads one-line files (.list)
and deb822 files (.sources)."""

import glob
import os
import re
import subprocess
import sys

BINARY = re.compile(r'^bookworm(-updates|-security|/updates)?/?$')
SOURCE = re.compile(r'^bookworm(-updates)?/?$')
OTHER = re.compile(r'^bookworm/?$')


def one_line(text):
    """The entries of a .list file, as dictionaries of deb822 fields."""
    for line in text.splitlines():
        m = re.match(r'^\s*(deb|deb-src)\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)', line)
        if not m:
            continue
        entry = {'types': m[1], 'uris': m[3], 'suites': m[4], 'components': m[5].strip()}
        for option in (m[2] or '').split():
            name, _, value = option.partition('=')
            entry[name.rstrip('+-').lower()] = value.replace(',', ' ')
        yield entry


def deb822(text):
    """The entries of a .sources file."""
    text = re.sub(r'^#.*\n?', '', text, flags=re.M)
    for stanza in re.split(r'\n\s*\n', text):
        entry, name = {}, None
        for line in stanza.splitlines():
            if line[:1].isspace() and name:
                entry[name] += '\n' + line
            elif ':' in line:
                name, _, value = line.partition(':')
                name = name.strip().lower()
                entry[name] = value.strip()
        if entry.get('enabled', 'yes').lower() not in ('no', 'false', '0'):
            yield entry


def main(other=None):
    def setting(name):
        said = subprocess.run(['apt-config', 'shell', 'x', name], stdout=subprocess.PIPE)
        m = re.search(r"x='(.*)'", said.stdout.decode())
        return m[1] if m else ''

    entries = []
    parts = setting('Dir::Etc::sourceparts/d')
    for path in [setting('Dir::Etc::sourcelist/f')] + sorted(glob.glob(os.path.join(parts, '*'))):
        parse = deb822 if path.endswith('.sources') else one_line
        if os.path.isfile(path) and path.endswith(('.list', '.sources')):
            with open(path, encoding='utf-8', errors='replace') as f:
                entries += list(parse(f.read()))

    seen = set()
    wishes = (('deb-src', OTHER),) if other else (('deb', BINARY), ('deb-src', SOURCE))
    for kind, wanted in wishes:
        for entry in entries:
            suites = [s for s in entry.get('suites', '').split() if wanted.match(s)]
            if not suites or 'main' not in entry.get('components', '').split():
                continue
            if other:
                suites = [other]
            lines = ['Types: ' + kind, 'URIs: ' + entry['uris'], 'Suites: ' + ' '.join(suites),
                     'Components: main']
            if kind == 'deb':
                lines.append('Architectures: amd64')
            for name in ('signed-by', 'trusted', 'check-valid-until'):
                if name in entry:
                    lines.append(name.title() + ': ' + entry[name])
            stanza = '\n'.join(lines)
            if stanza not in seen:
                seen.add(stanza)
                print(stanza + '\n')
    if not seen:
        sys.exit("build: no apt source of this machine is Debian 12's (bookworm, main)")


main(*sys.argv[1:])
