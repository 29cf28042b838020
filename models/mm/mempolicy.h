// get_mempolicy: under which NUMA policy an address is, or on which node. A short reader, unless it has to fault.
//
// Kernel. mm/mempolicy.c of 2.6.28, do_get_mempolicy with MPOL_F_ADDR: mmap_sem for read, find_vma; with MPOL_F_NODE
// lookup_node, which gets the page to see where it is, and so makes it present. Since 4.20 that is
// get_user_pages_locked, which gives mmap_sem up while the page has to come from the device, as the policy's faults do
// (retry_on_io). Simplified. The machine has one node. An absent page is populated as by a fault that writes (ZERO_PAGE
// would save the memory). With policy `mempolicy: {node: unlocked}` mmap_sem is given up before lookup_node, which
// takes it again only for a page that is not there [6.12]. Validated by tests/models/mm/mempolicy_test.cpp.
#pragma once

#include "models/spec/page.h"

namespace models {

class Mm;
class Task;

enum class MempolicyFlags {
  addr,           ///< MPOL_F_ADDR: the policy of the address
  addr_and_node,  ///< MPOL_F_ADDR | MPOL_F_NODE: the node of its page
};

/// get_mempolicy(2) of an address in `page`. Returns 0, or -EFAULT where there is no VMA, or for the node no page to be
/// had. Takes and releases mmap_sem.
int sys_get_mempolicy(Task& current, Mm& mm, PageIndex page, MempolicyFlags flags);

}  // namespace models
