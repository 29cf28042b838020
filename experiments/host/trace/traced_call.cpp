#include "experiments/host/trace/traced_call.h"

#include <algorithm>
#include <array>

namespace experiments {

namespace {

using models::Phase;

struct KnownCall {
  std::string_view name;
  std::uint64_t number;
  Phase phase;
};

constexpr std::array<KnownCall, 34> kCalls{{{"mmap", 9, Phase::mmap},
                                            {"munmap", 11, Phase::munmap},
                                            {"brk", 12, Phase::brk},
                                            {"mprotect", 10, Phase::mprotect},
                                            {"pkey_mprotect", 329, Phase::mprotect},
                                            {"madvise", 28, Phase::madvise},
                                            {"process_madvise", 440, Phase::madvise},
                                            {"mlock", 149, Phase::mlock},
                                            {"mlock2", 325, Phase::mlock},
                                            {"mlockall", 151, Phase::mlock},
                                            {"munlock", 150, Phase::munlock},
                                            {"munlockall", 152, Phase::munlock},
                                            {"mremap", 25, Phase::mremap},
                                            {"msync", 26, Phase::msync},
                                            {"mincore", 27, Phase::mincore},
                                            {"mbind", 237, Phase::mempolicy},
                                            {"get_mempolicy", 239, Phase::mempolicy},
                                            {"remap_file_pages", 216, Phase::remap_file_pages},
                                            {"clone", 56, Phase::fork},
                                            {"clone3", 435, Phase::fork},
                                            {"fork", 57, Phase::fork},
                                            {"vfork", 58, Phase::fork},
                                            {"execve", 59, Phase::other},
                                            {"exit", 60, Phase::exit},
                                            {"exit_group", 231, Phase::exit},
                                            {"process_vm_readv", 310, Phase::remote_read},
                                            {"process_vm_writev", 311, Phase::remote_read},
                                            {"read", 0, Phase::proc_read},
                                            {"pread64", 17, Phase::proc_read},
                                            {"readv", 19, Phase::proc_read},
                                            {"write", 1, Phase::other},
                                            {"pwrite64", 18, Phase::other},
                                            {"ioctl", 16, Phase::other},
                                            {"shmat", 30, Phase::mmap}}};

}  // namespace

std::string_view call_of_number(std::uint64_t number) {
  const auto call =
      std::find_if(kCalls.begin(), kCalls.end(), [&](const KnownCall& each) { return each.number == number; });
  return call == kCalls.end() ? std::string_view{} : call->name;
}

Phase phase_of_call(std::string_view name) {
  const auto call =
      std::find_if(kCalls.begin(), kCalls.end(), [&](const KnownCall& each) { return each.name == name; });
  return call == kCalls.end() ? Phase::other : call->phase;
}

bool is_of_a_locker(Phase call) { return call == Phase::mlock || call == Phase::munlock; }

}  // namespace experiments
