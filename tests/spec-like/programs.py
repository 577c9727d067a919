# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs: Debian's packages of what components of SPEC CPU2006 were made from.

    programs.py packages         prints the packages
    programs.py tree FROM TO     copies from an unpacked tree what the programs need
"""

import glob
import os
import shutil
import subprocess
import sys


class Program:
    def __init__(self, name, component, package, command, executables=(), files=(), stdin='empty',
                 environment=(), prepare=()):
        self.name, self.component, self.package = name, component, package
        self.command = command.split()
        self.stdin = stdin                  # a file of inputs.py
        self.environment = list(environment)
        self.prepare = [line.split() for line in prepare]   # before, not counted
        # Of the packages: what is executed or loaded without being linked to, and data.
        self.executables = list(executables) or [self.command[0].lstrip('/')]
        self.files = list(files)


CC1 = '/usr/lib/gcc/x86_64-linux-gnu/12/cc1'
SPEECH = '/usr/share/pocketsphinx/model/en-us/en-us'

PROGRAMS = [
    Program('perl', '400.perlbench', ['perl'], '/usr/bin/perl sort.pl',
            files=['usr/lib/x86_64-linux-gnu/perl-base/strict.pm'],
            environment=['PERL_HASH_SEED=0', 'PERL_PERTURB_KEYS=0']),
    Program('bzip2', '401.bzip2', ['bzip2'], '/usr/bin/bzip2 -9 -c', stdin='text'),
    # When it collects garbage depends on the machine's memory unless it is told.
    Program('gcc', '403.gcc', ['cpp-12'], CC1 + ' -quiet -fpreprocessed -O2 --param '
            'ggc-min-expand=30 --param ggc-min-heapsize=4096 program.i -o program.s'),
    Program('gnugo', '445.gobmk', ['gnugo'], '/usr/games/gnugo --mode gtp --seed 1 --level 4',
            stdin='game'),
    Program('calculix', '454.calculix', ['calculix-ccx'], '/usr/bin/ccx beam'),
    Program('hmmer', '456.hmmer', ['hmmer2'],
            '/usr/bin/hmm2calibrate --seed 1 --num 200 --cpu 0 family.hmm',
            executables=['usr/bin/hmm2calibrate', 'usr/bin/hmm2build'],
            prepare=['/usr/bin/hmm2build --amino family.hmm family.sto']),
    Program('libquantum', '462.libquantum', ['libquantum8', 'libquantum-dev'],
            '/usr/local/bin/factor 33 5'),
    # SPEC's h264ref is the reference encoder; this is another one of the same standard.
    Program('x264', '464.h264ref', ['x264'], '/usr/bin/x264 --threads 1 --no-asm --no-progress '
            '-o video.264 video.y4m'),
    Program('sphinx', '482.sphinx3', ['pocketsphinx', 'pocketsphinx-en-us'],
            '/usr/bin/pocketsphinx_continuous -infile speech.raw -jsgf words.gram -dict words.dict '
            '-hmm ' + SPEECH, files=[SPEECH.lstrip('/')],
            environment=['LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/pulseaudio']),
    Program('xalan', '483.xalancbmk', ['xalan'], '/usr/bin/Xalan -o list.html library.xml list.xsl'),
]

# Also needed: what is linked to, but only recommended, or only found by a search path.
MORE_PACKAGES = ['libpulse0']


def packages():
    return sorted({package for program in PROGRAMS for package in program.package} |
                  set(MORE_PACKAGES))


# Libraries

LOADER = 'usr/lib64/ld-linux-x86-64.so.2'
FOLDERS = ['usr/lib/x86_64-linux-gnu', 'usr/lib', 'usr/lib64', 'usr/lib/x86_64-linux-gnu/blas',
           'usr/lib/x86_64-linux-gnu/lapack', 'usr/lib/x86_64-linux-gnu/pulseaudio']


def linked(path):
    """Names of the libraries that an ELF file names."""
    said = subprocess.run(['readelf', '-dW', path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout.decode()
    return [line.split('[')[1].split(']')[0] for line in said.splitlines() if '(NEEDED)' in line]


def library(root, name):
    for folder in FOLDERS:
        if os.path.exists(os.path.join(root, folder, name)):
            return os.path.join(folder, name)
    raise SystemExit('programs.py: no package has the library ' + name)


def merge(root):
    """As in an installed system: /bin and so on are links into /usr."""
    for name in ('bin', 'sbin', 'lib', 'lib64'):
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.copytree(path, os.path.join(root, 'usr', name), symlinks=True,
                            dirs_exist_ok=True)
            shutil.rmtree(path)


def copy(root, to, name, place=None):
    """One file, links followed, at the same place or another."""
    target = os.path.join(to, place or name)
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(root, name), target)


def tree(root, to):
    merge(root)
    for name in ('bin', 'sbin', 'lib', 'lib64'):
        os.makedirs(os.path.join(to, 'usr', name), exist_ok=True)
        os.symlink('usr/' + name, os.path.join(to, name))
    for program in PROGRAMS:
        # A program's own list, so that a choice of programs needs no more than theirs.
        wanted = list(program.executables)
        for name in wanted:
            wanted += [found for found in (library(root, each) for each in
                                           linked(os.path.join(root, name)))
                       if found not in wanted]
        # Those of BLAS and LAPACK are found where everybody looks for them.
        names = {(name, name if name in program.executables or '/pulseaudio/' in name else
                  os.path.join('usr/lib/x86_64-linux-gnu', os.path.basename(name)))
                 for name in wanted} | {(LOADER, LOADER)}
        for pattern in program.files:
            for found in glob.glob(os.path.join(root, pattern)):
                if os.path.isdir(found):
                    for folder, _, files in os.walk(found):
                        names |= {(os.path.relpath(os.path.join(folder, each), root),) * 2
                                  for each in files}
                else:
                    names.add((pattern, pattern))
        for name, place in sorted(names):
            copy(root, to, name, place)
        with open(os.path.join(to, program.name + '.files'), 'w') as f:
            f.writelines(place + '\n' for name, place in sorted(names))


if __name__ == '__main__':
    if sys.argv[1:] == ['packages']:
        print(' '.join(packages()))
    elif len(sys.argv) == 4 and sys.argv[1] == 'tree':
        tree(*sys.argv[2:])
    else:
        raise SystemExit(__doc__)
