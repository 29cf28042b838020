#!/usr/bin/env python3
"""tools/kernel-lab --patched, as far as it goes without a kernel: what it runs, where it changes mm/mlock.c, what it refuses.

usage: kernel_lab_test.py MLOCKSIM
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MLOCKSIM = str(pathlib.Path(sys.argv.pop()).resolve())

# What the script looks for and nothing else: names of functions, and of what they call.
SOURCE = '''static int mlock_pte_range(pmd_t *pmd)
{
	return 0;
}

static void mlock_vma_pages_range(struct vm_area_struct *vma,
	unsigned long start)
{
}

static int mlock_fixup(%sstruct vm_area_struct *vma)
{
	mlock_vma_pages_range(vma, start, end, newflags);
	return ret;
}

static __must_check int do_mlock(unsigned long start)
{
	return __mm_populate(start, len, 0);
}

static int apply_mlockall_flags(int flags)
{
	if (error)
		prev = vma;
	return 0;
}
'''


def run(*words):
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT)


class PatchMlock(unittest.TestCase):
    def patched(self, source):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / 'mm' / 'mlock.c'
            file.parent.mkdir()
            file.write_text(source)
            done = run('tools/lab/patch-mlock', folder)
            once = file.read_text()
            if done.returncode == 0:
                self.assertEqual(run('tools/lab/patch-mlock', folder).returncode, 0)
                self.assertEqual(file.read_text(), once)
            return done, once

    def test_calls_ours_in_the_place_of_the_kernels(self):
        done, text = self.patched(SOURCE % 'struct vma_iterator *vmi, ')
        self.assertEqual(done.stderr, '')
        self.assertIn('ret = mlocksim_pages_range(&vma, start, end, newflags);', text)
        self.assertIn('mlocksim_find_place(vmi, vma, end);', text)
        self.assertIn('return mlocksim_mm_populate(start, len, 0);', text)
        self.assertIn('prev = error == -EAGAIN ? NULL : vma;', text)
        self.assertLess(text.index('module_param(munlock_mode'), text.index('static int mlock_fixup'))

    def test_leaves_the_iterator_alone_where_there_is_none(self):
        done, text = self.patched(SOURCE % '')
        self.assertEqual(done.returncode, 0)
        self.assertNotIn('mlocksim_find_place(vmi', text)

    def test_names_what_it_does_not_find(self):
        done, text = self.patched('int main(void)\n{\n}\n')
        self.assertEqual(done.returncode, 1)
        self.assertIn('there is no function mlock_fixup()', done.stderr)
        self.assertEqual(text, 'int main(void)\n{\n}\n')
        self.assertIn('there is no such file', run('tools/lab/patch-mlock', '/nowhere').stderr)


class UnlockCells(unittest.TestCase):
    def test_each_is_a_workload(self):
        lines = run('tools/lab/unlock-cells').stdout.splitlines()
        self.assertGreater(len(lines), 40)
        with tempfile.TemporaryDirectory() as folder:
            for name, scenario, *sets in (line.split(' ') for line in lines):
                words = [word for each in sets for word in ('--set', each.replace('\u00a0', ' '))]
                done = run(MLOCKSIM, 'validate', scenario, *words, '--workload', f'{folder}/{name}.json')
                self.assertEqual(done.returncode, 0, f'{name}: {done.stderr}')

    def test_few_are_some_of_all(self):
        every = set(run('tools/lab/unlock-cells').stdout.splitlines())
        self.assertLess(set(run('tools/lab/unlock-cells', '--few').stdout.splitlines()), every)


class KernelLab(unittest.TestCase):
    def refuse(self, what, *words):
        done = run('env', f'MLOCKSIM={MLOCKSIM}', 'tools/kernel-lab', *words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(what, done.stderr)

    def test_refuses_what_it_cannot_build(self):
        self.refuse('expected a version such as 6.12', '--patched')
        self.refuse("found 'linux'", '--patched', 'linux')
        self.refuse('expected a number of sittings', '--patched', '-n', '0', '6.12')

    def test_refuses_cells_that_it_does_not_have(self):
        if run('which', 'qemu-system-x86_64', 'cpio').returncode != 0:
            self.skipTest('there is no qemu: tools/setup --lab')
        self.refuse("no cell 'nothing'", '--patched', '-c', 'nothing', '6.12')
        self.refuse('among the cells of --patched', '-c', '*-2m', 'linux-image')


unittest.main()
