/*
 * How mlock() and munlock() hold mmap_lock, to be chosen while the kernel runs: /sys/module/mlock/parameters/.
 * tools/lab/patch-mlock puts this into mm/mlock.c, before mlock_vma_pages_range().
 *
 * What each value means is what models/mm/mlock.cpp of mlocksim means by it: munlock_in_chunks(), walk_unlocked(),
 * populate_locked(), let_somebody_have_it(). Parameters are to be left alone while somebody is in munlock().
 */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/version.h>

enum { MLOCKSIM_WRITE_HELD, MLOCKSIM_DOWNGRADE, MLOCKSIM_CHUNKED_WRITE };	/* munlock_mode */
enum { MLOCKSIM_DROP_AND_READ, MLOCKSIM_POPULATE_WRITE_HELD, MLOCKSIM_POPULATE_DOWNGRADE };	/* populate_mode */

static int munlock_mode;
module_param(munlock_mode, int, 0644);
MODULE_PARM_DESC(munlock_mode, "0: write mode throughout, 1: downgraded for the walk, 2: in chunks");
static int munlock_batch = 512;
module_param(munlock_batch, int, 0644);
MODULE_PARM_DESC(munlock_batch, "in chunks: pages from one release to the next");
static bool munlock_if_contended;
module_param(munlock_if_contended, bool, 0644);
MODULE_PARM_DESC(munlock_if_contended, "in chunks: only if somebody is in the queue");
static bool munlock_hand_over;
module_param(munlock_hand_over, bool, 0644);
MODULE_PARM_DESC(munlock_hand_over, "in chunks: take it again only when somebody else has it, or nobody wants it");
static int populate_mode;
module_param(populate_mode, int, 0644);
MODULE_PARM_DESC(populate_mode, "mlock: 0: under read mode, afterwards, 1: under write mode, 2: downgraded");

/* A huge page counts as walked with its first piece: a small chunk may end within it. */
static int mlocksim_munlock_pmd(pmd_t *pmd, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	const unsigned long first = *(unsigned long *)walk->private;

	if (pmd_trans_huge(READ_ONCE(*pmd)) && (addr & ~PMD_MASK) && addr != first)
		return 0;
	return mlock_pte_range(pmd, addr, end, walk);
}

static const struct mm_walk_ops mlocksim_write_ops = {
	.pmd_entry = mlocksim_munlock_pmd,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	.walk_lock = PGWALK_WRLOCK_VERIFY,
#endif
};
static const struct mm_walk_ops mlocksim_read_ops = {
	.pmd_entry = mlocksim_munlock_pmd,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	.walk_lock = PGWALK_RDLOCK,
#endif
};

/*
 * Who gives the lock up to take it again at once has it before anybody who waits. Those in the queue stand in
 * wait_list, a writer that spins holds osq; whoever has the lock shows in count (bit 0: a writer; from bit 8 on: readers).
 * One that was woken may have to wait for a CPU, this one perhaps: hence the bound, and cond_resched().
 */
static void mlocksim_let_somebody_have_it(struct rw_semaphore *sem)
{
	const unsigned long held = 1UL | (LONG_MAX & ~0xffUL);
	int looks;

	for (looks = 0; looks < 1000; looks++) {
		if (!rwsem_is_contended(sem) && !osq_is_locked(&sem->osq))
			return;
		udelay(1);
		if ((unsigned long)atomic_long_read(&sem->count) & held)
			return;
		cond_resched();
	}
}

/*
 * After a window: the VMA that now covers [start, end), or NULL if none does with these flags. A witness, not a proposal:
 * where somebody changed the map in the window, the pages that the walk had not come to stay unevictable, and another mapping
 * of the same flags that has taken the VMA's place is walked in its stead.
 *
 * The VMA is locked for write again, as giving up mmap_lock has unlocked it. The walk itself could do without: VM_LOCKED
 * is cleared already, so no fault mlocks a page behind it, and it changes pages under the lock of their page table only.
 * But who walks for write has the VMA locked (PGWALK_WRLOCK_VERIFY); and a munlock() that is half done looks to faults
 * as one that does it at a stretch.
 */
static struct vm_area_struct *mlocksim_look_again(struct mm_struct *mm, unsigned long start, unsigned long end,
						  vm_flags_t flags)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	if (!vma || vma->vm_start > start || vma->vm_end < end)
		return NULL;
	if ((vma->vm_flags ^ flags) & ~(vm_flags_t)VM_SOFTDIRTY)
		return NULL;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	vma_start_write(vma);
#endif
	return vma;
}

static struct vm_area_struct *mlocksim_munlock_in_chunks(struct vm_area_struct *vma, unsigned long start,
							 unsigned long end, vm_flags_t flags)
{
	struct mm_struct *mm = vma->vm_mm;
	const unsigned long batch = max(READ_ONCE(munlock_batch), 1);
	const unsigned long step = min(batch, (unsigned long)PTRS_PER_PTE) << PAGE_SHIFT;
	const bool if_contended = READ_ONCE(munlock_if_contended);
	const bool hand_over = READ_ONCE(munlock_hand_over);
	unsigned long addr = start, done = 0;

	while (addr < end) {
		const unsigned long next = end - addr > step ? addr + step : end;

		walk_page_range(mm, addr, next, &mlocksim_write_ops, &start);
		done += (next - addr) >> PAGE_SHIFT;
		addr = next;
		if (addr == end || done < batch || (if_contended && !mmap_lock_is_contended(mm)))
			continue;
		mmap_write_unlock(mm);
		if (hand_over)
			mlocksim_let_somebody_have_it(&mm->mmap_lock);
		mmap_write_lock(mm);
		vma = mlocksim_look_again(mm, addr, end, flags);
		if (!vma)
			break;
		done = 0;
	}
	return vma;
}

static void mlock_vma_pages_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
				  vm_flags_t newflags);

static struct vm_area_struct *mlocksim_munlock(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					       vm_flags_t flags, int mode)
{
	struct mm_struct *mm = vma->vm_mm;

	mlock_vma_pages_range(vma, start, start, flags);	/* the flags, and no page */
	lru_add_drain();
	if (mode == MLOCKSIM_CHUNKED_WRITE) {
		vma = mlocksim_munlock_in_chunks(vma, start, end, flags);
	} else {
		mmap_write_downgrade(mm);
		walk_page_range(mm, start, end, &mlocksim_read_ops, &start);
		mmap_read_unlock(mm);
		mmap_write_lock(mm);
		vma = mlocksim_look_again(mm, start, end, flags);
	}
	lru_add_drain();
	return vma;
}

/*
 * What is present has been mlocked under write mode, as in every kernel since 5.18. An error ends the populating and no
 * more, as in 2.6.28.
 */
static struct vm_area_struct *mlocksim_populate(struct vm_area_struct *vma, unsigned long start, unsigned long end,
						vm_flags_t flags, int mode)
{
	struct mm_struct *mm = vma->vm_mm;

	if (mode == MLOCKSIM_POPULATE_WRITE_HELD) {
		populate_vma_page_range(vma, start, end, NULL);
		return vma;
	}
	mmap_write_downgrade(mm);
	populate_vma_page_range(vma, start, end, NULL);
	mmap_read_unlock(mm);
	mmap_write_lock(mm);
	return mlocksim_look_again(mm, start, end, flags);
}

/*
 * In place of mlock_vma_pages_range(), for mlock_fixup(). mmap_lock is held for write, and is on return, but may have
 * been given up in between: then *vma is the VMA of the range as it is now, or NULL, and -EAGAIN, where it has changed.
 */
static int mlocksim_pages_range(struct vm_area_struct **vma, unsigned long start, unsigned long end,
				vm_flags_t newflags)
{
	const int unlock = READ_ONCE(munlock_mode);
	const int populate = READ_ONCE(populate_mode);

	if (newflags & VM_LOCKED) {
		mlock_vma_pages_range(*vma, start, end, newflags);
		if (populate != MLOCKSIM_DROP_AND_READ && !(newflags & VM_LOCKONFAULT))
			*vma = mlocksim_populate(*vma, start, end, newflags, populate);
	} else if (unlock == MLOCKSIM_WRITE_HELD) {
		mlock_vma_pages_range(*vma, start, end, newflags);
	} else {
		*vma = mlocksim_munlock(*vma, start, end, newflags, unlock);
	}
	return *vma ? 0 : -EAGAIN;
}

/* In place of __mm_populate(), for do_mlock(): where it has been done already there is nothing left to do. */
static int mlocksim_mm_populate(unsigned long start, unsigned long len, int ignore_errors)
{
	if (READ_ONCE(populate_mode) != MLOCKSIM_DROP_AND_READ)
		return 0;
	return __mm_populate(start, len, ignore_errors);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
/* The tree of VMAs may have changed in the window: the caller's place in it is looked up again. */
static void mlocksim_find_place(struct vma_iterator *vmi, struct vm_area_struct *vma, unsigned long end)
{
	if (READ_ONCE(munlock_mode) == MLOCKSIM_WRITE_HELD && READ_ONCE(populate_mode) == MLOCKSIM_DROP_AND_READ)
		return;
	vma_iter_set(vmi, vma ? end - 1 : end);
	if (vma)
		vma_iter_load(vmi);
}
#endif
